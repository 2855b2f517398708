// Resampling of 8-bit images along one axis, in fixed point, as Pillow does it: an output pixel is a weighted sum of
// input pixels, rounded and clipped to a byte.
//   y[i] = min(255, max(0, (2^21 + Σ_k weights[i, k] · x[first[i] + k]) >> 22)),  0 <= k < count[i]
#pragma once
#include "kernels/context.h"

namespace kernels {

inline constexpr int kResampleBits = 22;    // of a weight's fraction
inline constexpr long kResampleLines = 16;  // rows that resample_horizontal takes at a time

// T is unsigned char.
template <class T>
struct ResampleAxis {
  T* y;                      // out; horizontal: (lines, out), vertical: (out, lines)
  T* scratch;                // horizontal: (in, kResampleLines); vertical: not used
  const T* x;                // horizontal: (lines, in), vertical: (in, lines)
  const int* weights;        // (out, taps); 255 times the sum of an output's absolute weights stays below 2^31 - 2^21
  const int *first, *count;  // (out); first[i] + count[i] <= in
  long lines, in, out, taps, x_stride;  // x_stride: from one row of x to the next, in pixels
  long skipped = 0;                     // vertical: x begins with this row
};

// Along each row.
template <class T>
void resample_horizontal(Cpu, const ResampleAxis<T>&);
// Along each column.
template <class T>
void resample_vertical(Cpu, const ResampleAxis<T>&);

}  // namespace kernels
