// What every fuzz target shares: a file to write to, a check that ends the process, and what counts as a good refusal.
#pragma once
#include <fuzzer/FuzzedDataProvider.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace lookhere {

// libFuzzer takes an abort for a finding.
inline void require(bool ok, std::string_view what) {
  if (ok) return;
  std::fprintf(stderr, "fuzz: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

// Whether `attempt` went through. It may throw Error, with one short line; whatever else it throws is a finding.
template <class F>
bool accepted(F attempt) {
  try {
    attempt();
    return true;
  } catch (const Error& error) {
    const std::string_view line = error.what();
    require(!line.empty() && line.size() < 2000, "an error of no or too many bytes");
    for (const char c : line)
      require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F, "an error is more than one line");
    return false;
  }
}

// The path of a file of this process, removed at the end. In memory: the writers flush their files to the disk.
inline const std::string& scratch() {
  static const struct Scratch {
    std::string path = [] {
      const char* folder = std::getenv("TMPDIR");
      return std::string(folder ? folder : "/dev/shm") + "/lookhere-fuzz-" + std::to_string(getpid());
    }();
    ~Scratch() { std::filesystem::remove(path); }
  } file;
  return file.path;
}
inline const std::string& scratch_with(std::string_view bytes) {
  std::ofstream(scratch(), std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return scratch();
}
inline std::string scratch_bytes() {
  std::ifstream in(scratch(), std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         (a.bytes() == 0 ||
          std::memcmp(a.host<std::byte>(), b.host<std::byte>(), static_cast<std::size_t>(a.bytes())) == 0);
}

// A tensor of up to five sizes below 6, which may be 0, and any bytes.
inline Tensor any_tensor(FuzzedDataProvider& from) {
  std::vector<long> sizes(from.ConsumeIntegralInRange<std::size_t>(0, Shape::kMaxRank));
  for (long& size : sizes) size = from.ConsumeIntegralInRange<long>(0, 5);
  Tensor t = empty(Shape(sizes), from.PickValueInArray({Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::i64}), Device::cpu);
  if (t.bytes() == 0) return t;
  std::memset(t.host<std::byte>(), 0, static_cast<std::size_t>(t.bytes()));
  from.ConsumeData(t.host<std::byte>(), static_cast<std::size_t>(t.bytes()));
  return t;
}

}  // namespace lookhere
