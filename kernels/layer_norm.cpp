// Layer normalisation on the CPU. The variance takes a second pass over the row (which is in cache): E[x²] - E[x]²
// loses all digits where the mean is large.
#include "kernels/layer_norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/isa.h"

namespace kernels {
namespace KERNELS_ISA {

template <class T>
void layer_norm(const LayerNorm<T>& p) {
  parallel_for(p.rows, 4 * p.cols, [&](long r) {
    const T* x = p.x + r * p.cols;
    T* y = p.y + r * p.cols;
    Acc<T> sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (long c = 0; c < p.cols; ++c) sum += x[c];
    const Acc<T> mean = sum / static_cast<Acc<T>>(p.cols);
#pragma omp simd reduction(+ : squares)
    for (long c = 0; c < p.cols; ++c) squares += (x[c] - mean) * (x[c] - mean);
    const Acc<T> rstd = 1 / std::sqrt(squares / static_cast<Acc<T>>(p.cols) + static_cast<Acc<T>>(p.eps));
    for (long c = 0; c < p.cols; ++c) y[c] = (x[c] - mean) * rstd * p.w[c] + p.b[c];
    p.mean[r] = mean, p.rstd[r] = rstd;
  });
}

template <class T>
void layer_norm_backward(const LayerNormBackward<T>& p) {
  // Columns first, since dx may overwrite dy. One thread sums a column block over all rows: a fixed order.
  constexpr long kColumns = 64;
  parallel_for((p.cols + kColumns - 1) / kColumns, p.rows * kColumns, [&](long block) {
    const long begin = block * kColumns, width = std::min(kColumns, p.cols - begin);
    Acc<T> dw[kColumns] = {}, db[kColumns] = {};
    for (long r = 0; r < p.rows; ++r) {
      const T *dy = p.dy + r * p.cols + begin, *x = p.x + r * p.cols + begin;
      for (long c = 0; c < width; ++c) {
        dw[c] += dy[c] * ((x[c] - p.mean[r]) * p.rstd[r]);
        db[c] += dy[c];
      }
    }
    std::copy_n(dw, width, p.dw + begin);
    std::copy_n(db, width, p.db + begin);
  });
  parallel_for(p.rows, 4 * p.cols, [&](long r) {
    const T *dy = p.dy + r * p.cols, *x = p.x + r * p.cols;
    T* dx = p.dx + r * p.cols;
    const Acc<T> mean = p.mean[r], rstd = p.rstd[r], n = static_cast<Acc<T>>(p.cols);
    Acc<T> g_sum = 0, gx_sum = 0;
#pragma omp simd reduction(+ : g_sum, gx_sum)
    for (long c = 0; c < p.cols; ++c) {
      const Acc<T> g = dy[c] * p.w[c];
      g_sum += g;
      gx_sum += g * ((x[c] - mean) * rstd);
    }
    const Acc<T> g_mean = g_sum / n, gx_mean = gx_sum / n;
    for (long c = 0; c < p.cols; ++c) dx[c] = rstd * (dy[c] * p.w[c] - g_mean - (x[c] - mean) * rstd * gx_mean);
  });
}

}  // namespace KERNELS_ISA

KERNEL(layer_norm, LayerNorm, float);
KERNEL(layer_norm, LayerNorm, double);
KERNEL(layer_norm_backward, LayerNormBackward, float);
KERNEL(layer_norm_backward, LayerNormBackward, double);

}  // namespace kernels
