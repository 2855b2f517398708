// Prefetches by hand, spread over the work before.
#pragma once
#include <cstdint>

#include "kernels/simd/lanes.h"

namespace kernels::KERNELS_ISA {

// Rows that are needed soon, asked for a few at a time between products: they come while others are worked on.
class PrefetchQueue {
 public:
  // Rows `stride` apart: those of `tokens`, if given, else the first `count`.
  template <class T>
  void add(const T* first, long stride, long dim, const std::int32_t* tokens, long count) {
    constexpr long kSize = static_cast<long>(sizeof(T));
    if (count == 0) return;
    array_[arrays_++] = {reinterpret_cast<const char*>(first), stride * kSize, dim * kSize, count, tokens};
    rows_ += count;
  }
  // All of them within so many calls of issue().
  void spread_over(long calls) { step_ = rows_ / (calls + 1) + 1; }
  LOOKHERE_INLINE void issue() {
    for (long i = 0; i < step_ && at_ < arrays_; ++i) {
      const Rows& rows = array_[at_];
      const char* row = rows.first + (rows.tokens ? rows.tokens[row_] : row_) * rows.stride;
      for (long byte = 0; byte < rows.bytes; byte += 64) __builtin_prefetch(row + byte, 0, 2);
      if (++row_ == rows.count) row_ = 0, ++at_;
    }
  }

 private:
  struct Rows {
    const char* first;
    long stride, bytes, count;
    const std::int32_t* tokens;
  } array_[12];
  long arrays_ = 0, rows_ = 0, step_ = 0, at_ = 0, row_ = 0;
};

}  // namespace kernels::KERNELS_ISA
