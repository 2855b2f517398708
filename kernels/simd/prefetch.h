// What is needed soon, asked for by hand, a little at a time between other work: it comes meanwhile.
#pragma once
#include <cstdint>

#include "kernels/simd/lanes.h"

namespace kernels::KERNELS_ISA {

constexpr long kCacheLine = 64;  // bytes
LOOKHERE_INLINE void prefetch_line(const char* at) { __builtin_prefetch(at, 0, 2); }

// Short rows of several arrays, a few rows at a time.
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
      const Array& array = array_[at_];
      const char* row = array.first + (array.tokens ? array.tokens[row_] : row_) * array.stride;
      for (long byte = 0; byte < array.bytes; byte += kCacheLine) prefetch_line(row + byte);
      if (++row_ == array.count) row_ = 0, ++at_;
    }
  }

 private:
  struct Array {
    const char* first;
    long stride, bytes, count;
    const std::int32_t* tokens;
  } array_[12];
  long arrays_ = 0, rows_ = 0, step_ = 0, at_ = 0, row_ = 0;
};

// Long rows of a matrix, a few cache lines at a time.
class PrefetchLines {
 public:
  PrefetchLines() = default;
  template <class T>
  PrefetchLines(const T* first, long stride, long columns, long rows)
      : row_(reinterpret_cast<const char*>(first)),
        stride_(stride * static_cast<long>(sizeof(T))),
        lines_in_row_((columns * static_cast<long>(sizeof(T)) + kCacheLine - 1) / kCacheLine),
        rows_(rows) {}
  long lines() const { return rows_ * lines_in_row_; }  // that are left, while the first row has not begun
  void issue(long count) {
    for (; count > 0 && rows_ > 0; --count) {
      prefetch_line(row_ + line_ * kCacheLine);
      if (++line_ == lines_in_row_) line_ = 0, row_ += stride_, --rows_;
    }
  }

 private:
  const char* row_ = nullptr;
  long stride_ = 0, lines_in_row_ = 0, rows_ = 0, line_ = 0;
};

}  // namespace kernels::KERNELS_ISA
