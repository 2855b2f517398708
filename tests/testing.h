// What tests share: random tensors, comparisons, gradient checks, temporary folders, and messages as part of the contract.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace lookhere {

// The statement throws Error with a message that contains `part`.
#define EXPECT_ERROR(statement, part)                                                  \
  try {                                                                                \
    statement;                                                                         \
    ADD_FAILURE() << "no error, wanted: " << (part);                                   \
  } catch (const ::lookhere::Error& error) {                                           \
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what(); \
  }

// Uniform values in [-1, 1), the same for the same seed.
inline Tensor random(const Shape& shape, std::uint64_t seed, Dtype dtype = Dtype::f64) {
  Rng rng(seed, Purpose::test);
  Tensor t = empty(shape, Dtype::f64);
  for (long i = 0; i < t.numel(); ++i) t.data<double>()[i] = rng.uniform(-1, 1);
  return t.to(dtype);
}

// max |a - b| / max(|b|, floor) over all elements.
inline double max_relative_error(const Tensor& a, const Tensor& b, double floor = 1e-3) {
  EXPECT_EQ(a.shape(), b.shape());
  const Tensor x = a.to(Dtype::f64), y = b.to(Dtype::f64);
  double worst = 0;
  for (long i = 0; i < x.numel(); ++i) {
    const double want = y.data<double>()[i], got = x.data<double>()[i];
    const double error = std::abs(got - want) / std::max(std::abs(want), floor);
    if (!(error <= worst)) worst = error;  // NaN counts as the worst
  }
  return worst;
}

// A fresh folder, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lookhere-XXXXXX").string();
    check_io(mkdtemp(name.data()) != nullptr, "cannot create ", name);
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace lookhere
