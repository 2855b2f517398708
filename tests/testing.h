// What tests share: random tensors, comparisons, gradient checks, temporary folders, and messages as part of the
// contract.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "autograd/var.h"
#include "tensor/machine.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

namespace lookhere {

// The statement throws Error with a message that contains `part`.
#define EXPECT_ERROR(statement, part)                                                   \
  try {                                                                                 \
    statement;                                                                          \
    ADD_FAILURE() << "no error, wanted: " << (part);                                    \
  } catch (const ::lookhere::Error& error) {                                            \
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what(); \
  }

// Tests make most tensors in host memory.
inline Tensor empty(const Shape& shape, Dtype dtype = Dtype::f32) { return empty(shape, dtype, Device::cpu); }
inline Tensor zeros(const Shape& shape, Dtype dtype = Dtype::f32) { return zeros(shape, dtype, Device::cpu); }
inline Tensor full(const Shape& shape, double value, Dtype dtype = Dtype::f32) {
  return full(shape, value, dtype, Device::cpu);
}
template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape) {
  return from_vector(values, shape, Device::cpu);
}

// Uniform values in [-1, 1), the same for the same seed.
inline Tensor random(const Shape& shape, std::uint64_t seed, Dtype dtype = Dtype::f64) {
  Rng rng(seed, Purpose::test);
  Tensor t = empty(shape, Dtype::f64);
  for (long i = 0; i < t.numel(); ++i) t.host<double>()[i] = rng.uniform(-1, 1);
  return t.to(dtype);
}

// The larger error; NaN counts as infinite, so that it stays the worst whatever comes after it.
inline double worse(double worst, double error) { return std::isnan(error) ? HUGE_VAL : std::max(worst, error); }

// max |a - b| / max(|b|, floor) over all elements.
inline double max_relative_error(const Tensor& a, const Tensor& b, double floor = 1e-3) {
  EXPECT_EQ(a.shape(), b.shape());
  const Tensor x = a.to(Dtype::f64), y = b.to(Dtype::f64);
  double worst = 0;
  for (long i = 0; i < x.numel(); ++i) {
    const double want = y.host<double>()[i], got = x.host<double>()[i];
    worst = worse(worst, std::abs(got - want) / std::max(std::abs(want), floor));
  }
  return worst;
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.host<std::byte>(), b.host<std::byte>(), a.bytes()) == 0;
}

// Runs the rest of a scope on this many threads.
class Threads {
 public:
  explicit Threads(int count) : before_(thread_count()) { set_thread_count(count); }
  ~Threads() { set_thread_count(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

// -- Gradient checks
// ---------------------------------------------------------------------------------------------------- Σ weights ⊙ y:
// makes a scalar of any result without letting errors of opposite sign cancel.
inline Var weigh(const Var& y, const Tensor& weights) {
  double sum = 0;
  for (long i = 0; i < weights.numel(); ++i) sum += weights.host<double>()[i] * y.value().host<double>()[i];
  return Var::record("weigh", full({1}, sum, Dtype::f64), {y}, [weights](const Tensor& dy) {
    Tensor dx = weights.clone();
    for (long i = 0; i < dx.numel(); ++i) dx.host<double>()[i] *= dy.item();
    return Grads{dx};
  });
}

template <class F>
std::vector<Tensor> gradients_of(F& function, const std::vector<Tensor>& inputs, const Tensor& weights) {
  std::vector<Var> leaves;
  for (const Tensor& input : inputs) leaves.emplace_back(input, true);
  weigh(function(leaves), weights).backward();
  std::vector<Tensor> grads;
  for (const Var& leaf : leaves) grads.push_back(leaf.grad());
  return grads;
}

// Checks the gradient of `function` (std::vector<Var>& → Var of any shape, f64) with respect to every element of every
// input against central differences, and that a second run gives the same bits. Errors are relative, with a floor.
template <class F>
void expect_gradients(F function, const std::vector<Tensor>& inputs, double tolerance = 1e-6, double floor = 1e-3) {
  // Five points instead of two: the error is h⁴·f⁽⁵⁾/30 + ε·f/h, about 1e-13 each with this h (a power of two, so that
  // x ± h is exact).
  constexpr double kStep = 0x1p-10;
  std::vector<Var> leaves;
  for (const Tensor& input : inputs) leaves.emplace_back(input.clone(), true);
  const Var result = function(leaves);
  const Tensor weights = random(result.shape(), 1234567);
  const std::vector<Tensor> grads = gradients_of(function, inputs, weights);
  const std::vector<Tensor> again = gradients_of(function, inputs, weights);

  struct {
    double error = -1, got = 0, want = 0;
    std::size_t input = 0;
    long element = 0;
  } worst;
  const NoGrad no_grad;
  for (std::size_t input = 0; input < inputs.size(); ++input) {
    ASSERT_TRUE(grads[input].defined()) << result.op() << ": no gradient for input " << input;
    ASSERT_EQ(grads[input].shape(), inputs[input].shape()) << result.op() << ", input " << input;
    EXPECT_TRUE(same_bits(grads[input], again[input])) << result.op() << ": two runs differ in input " << input;
    for (long i = 0; i < inputs[input].numel(); ++i) {
      double& x = leaves[input].value().template host<double>()[i];
      const double x0 = x;
      const auto at = [&](double steps) {  // cloned, since an operation may return its input
        x = x0 + steps * kStep;
        return function(leaves).value().clone();
      };
      const Tensor a = at(-2), b = at(-1), c = at(1), d = at(2);
      x = x0;
      double want = 0;  // summed over differences, in which what does not depend on x cancels exactly
      for (long k = 0; k < weights.numel(); ++k) {
        const auto y = [k](const Tensor& t) { return t.host<double>()[k]; };
        want += weights.host<double>()[k] * (8 * (y(c) - y(b)) - (y(d) - y(a))) / (12 * kStep);
      }
      const double got = grads[input].template host<double>()[i];
      const double error = std::abs(got - want) / std::max(std::abs(want), floor);
      if (const double bad = worse(0, error); bad > worst.error) worst = {bad, got, want, input, i};
    }
  }
  EXPECT_LE(worst.error, tolerance) << result.op() << ": gradient of input " << worst.input << " at element "
                                    << worst.element << " is " << worst.got << ", by differences " << worst.want;
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

// Where `make` put a program: in the folder $BUILD, else in build. Tests run from the repository's root.
inline std::string built(const std::string& program) {
  const char* folder = std::getenv("BUILD");
  return std::filesystem::absolute(std::string(folder ? folder : "build") + "/" + program).string();
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace lookhere
