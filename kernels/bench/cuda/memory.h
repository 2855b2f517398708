// The arrays of one case, on the device.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/cuda/device.h"

namespace kernels::gpu_bench {

// All are given back with it.
class Memory {
 public:
  Memory() = default;
  ~Memory() {
    for (std::byte* block : blocks_) cuda::release(block);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // n values in [-1, 1), reproducible; many ones repeat after a million.
  template <class T>
  T* random(long n) {
    std::vector<T> values(std::min(n, kPeriod));
    auto state = static_cast<std::uint32_t>(blocks_.size());
    for (T& v : values) v = T(static_cast<float>((state = state * 1664525U + 1013904223U) >> 8) * 0x1p-23F - 1);
    return as<T>(repeated(values, n));
  }
  template <class T>
  T* zeros(long n) {
    return as<T>(repeated<T>({T(0.F)}, n));
  }
  template <class T>
  T* copy_of(const std::vector<T>& values) {
    return as<T>(repeated(values, static_cast<long>(values.size())));
  }
  // What a kernel is to write: NaN until it does.
  template <class T>
  T* result(long n) {
    const long bytes = n * static_cast<long>(sizeof(T));
    const std::vector<std::uint8_t> ones(std::min(bytes, kPeriod), 0xFF);
    T* const memory = as<T>(repeated(ones, bytes));
    results_.push_back({memory, n, sizeof(T)});
    return memory;
  }
  template <class T>
  T* workspace(long n) {
    return as<T>(take(n * static_cast<long>(sizeof(T))));
  }

  struct Result {
    const void* memory;
    long count;
    std::size_t bytes_each;
  };
  const std::vector<Result>& results() const { return results_; }

 private:
  static constexpr long kPeriod = 1'000'003;

  std::byte* take(long bytes) {
    std::byte* const block = cuda::allocate(bytes);
    if (!block) throw cuda::DeviceError("no memory left for " + std::to_string(bytes) + " bytes");
    blocks_.push_back(block);
    return block;
  }
  // What is there is copied behind itself.
  template <class T>
  std::byte* repeated(const std::vector<T>& values, long n) {
    const long bytes = n * static_cast<long>(sizeof(T));
    std::byte* const memory = take(bytes);
    long done = std::min<long>(bytes, static_cast<long>(values.size() * sizeof(T)));
    cuda::copy_to_device(memory, values.data(), done);
    while (done < bytes) {
      const long more = std::min(done, bytes - done);
      cuda::copy_within_device(memory + done, memory, more);
      done += more;
    }
    return memory;
  }
  template <class T>
  static T* as(std::byte* memory) {
    return reinterpret_cast<T*>(memory);
  }

  std::vector<std::byte*> blocks_;
  std::vector<Result> results_;
};

}  // namespace kernels::gpu_bench
