// What conformance.cu is written with: memory of the device, and results that are kept, compared and told.
#pragma once
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/cuda/device.h"

namespace conformance {

inline constexpr long kMostUlps = 64;  // more than another order and shorter sums can explain

// An array of the device's memory.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values) : size_(values.size()), memory_(kernels::cuda::allocate(bytes())) {
    if (!memory_) throw kernels::cuda::DeviceError("out of memory of the device");
    kernels::cuda::copy_to_device(memory_, values.data(), bytes());
  }
  explicit OnDevice(std::size_t size) : OnDevice(std::vector<T>(size)) {}
  ~OnDevice() { kernels::cuda::release(memory_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  T* get() const { return reinterpret_cast<T*>(memory_); }
  std::size_t size() const { return size_; }
  std::vector<T> values() const {
    std::vector<T> host(size_);
    kernels::cuda::copy_to_host(host.data(), memory_, bytes());
    return host;
  }

 private:
  long bytes() const { return static_cast<long>(size_ * sizeof(T)); }
  std::size_t size_;
  std::byte* memory_;
};

enum class Compare { bits, rounding };  // rounding: positive f32, in units in the last place

struct Result {
  std::string name;
  Compare compare;
  std::vector<unsigned> words;
};

class Report {
 public:
  std::vector<unsigned> draw(std::size_t count) {
    std::vector<unsigned> words(count);
    for (unsigned& word : words) word = static_cast<unsigned>(random_());
    return words;
  }
  std::vector<unsigned> draw(std::size_t count, unsigned (*operand)(unsigned)) {
    std::vector<unsigned> words = draw(count);
    for (unsigned& word : words) word = operand(word);
    return words;
  }
  void add(const std::string& name, const OnDevice<unsigned>& words, Compare compare = Compare::bits) {
    results_.push_back({name, compare, words.values()});
  }
  const std::vector<Result>& results() const { return results_; }

 private:
  std::mt19937 random_;  // the same everywhere
  std::vector<Result> results_;
};

void run(Report& report);  // conformance.cu

// A line "words name" for each, and then the words.
inline void write(const std::vector<Result>& results, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  for (const Result& r : results) {
    out << r.words.size() << ' ' << r.name << '\n';
    out.write(reinterpret_cast<const char*>(r.words.data()), static_cast<long>(r.words.size() * sizeof(unsigned)));
  }
  if (!out.flush()) throw std::runtime_error(path + ": cannot be written");
}
inline std::vector<Result> read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path + ": cannot be read");
  std::vector<Result> results;
  std::size_t count = 0;
  for (std::string name; in >> count && in.ignore() && std::getline(in, name);) {
    results.push_back({name, Compare::bits, std::vector<unsigned>(count)});
    in.read(reinterpret_cast<char*>(results.back().words.data()), static_cast<long>(count * sizeof(unsigned)));
    if (!in) throw std::runtime_error(path + ": it ends in the middle");
  }
  return results;
}

// Tells each result's line; the last one is the sum. Whether all agree.
inline bool compare(const std::vector<Result>& got, const std::vector<Result>& want) {
  long failed = 0, worst_ulps = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const Result& g = got[i];
    if (i >= want.size() || want[i].name != g.name || want[i].words.size() != g.words.size()) {
      ++failed, std::printf("%-42s FAILED: nothing like it is expected\n", g.name.c_str());
      continue;
    }
    long differ = 0, most = 0;
    std::size_t first = 0;
    for (std::size_t w = g.words.size(); w-- > 0;) {
      const long ulps = std::abs(static_cast<long>(g.words[w]) - static_cast<long>(want[i].words[w]));
      most = std::max(most, ulps);
      if (g.compare == Compare::bits ? ulps != 0 : ulps > kMostUlps) ++differ, first = w;
    }
    if (g.compare == Compare::rounding) worst_ulps = std::max(worst_ulps, most);
    failed += differ != 0;
    if (differ)
      std::printf("%-42s FAILED: %ld of %zu words differ, the first is %zu: %08x, wanted %08x\n", g.name.c_str(),
                  differ, g.words.size(), first, g.words[first], want[i].words[first]);
    else if (g.compare == Compare::rounding)
      std::printf("%-42s ok, %zu sums within %ld units in the last place\n", g.name.c_str(), g.words.size(), most);
    else
      std::printf("%-42s ok, %zu words\n", g.name.c_str(), g.words.size());
  }
  if (want.size() > got.size()) ++failed, std::printf("%zu results are missing\n", want.size() - got.size());
  if (failed) return std::printf("%ld of %zu differ from the emulator\n", failed, got.size()), false;
  std::printf("%zu equal to the emulator's bits, rounded products to %ld units in the last place\n", got.size(),
              worst_ulps);
  return true;
}

inline int main(int count, char** arguments) {
  constexpr int kNotRun = 77;
  if (count < 2 || count > 3) return std::puts("conformance RESULTS [EXPECTED]"), 2;
  try {
    if (!kernels::cuda::problem().empty()) return std::puts(kernels::cuda::problem().c_str()), kNotRun;
    Report report;
    run(report);
    write(report.results(), arguments[1]);
    return count == 3 && !compare(report.results(), read(arguments[2]));
  } catch (const std::exception& error) {
    return std::puts(error.what()), 1;
  }
}

}  // namespace conformance
