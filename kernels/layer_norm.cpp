// Layer normalisation on the CPU: memory is read once, everything else happens while a row is in the first-level cache.
// The variance takes a second pass over it: E[x²] - E[x]² loses all digits where the mean is large.
#include "kernels/layer_norm.h"

#include <cmath>

#include "kernels/simd/rows.h"

namespace kernels {
namespace KERNELS_ISA {

template <bool kCentred, class T>
void norm(const LayerNorm<T>& p) {
  using A = Acc<T>;
  parallel_for(p.rows, 4 * p.cols, [=](long r) {
    const A* x = p.x + r * p.cols;
    T* y = p.y + r * p.cols;
    const A n = static_cast<A>(p.cols);
    A mean = 0;
    if (kCentred) mean = sum_vectors<A>(p.cols, [=](long c, auto lanes) { return load_as<A>(x + c, lanes); }) / n;
    const A squares = sum_vectors<A>(p.cols, [=](long c, auto lanes) {
      const Vector<A> centered = load_as<A>(x + c, lanes) - mean;
      return centered * centered;
    });
    const A rstd = 1 / std::sqrt(squares / n + static_cast<A>(p.eps));
    for_each_vector<A>(p.cols, [=](long c, auto lanes) {
      const Vector<A> normalised = (load_as<A>(x + c, lanes) - mean) * rstd;
      Vector<A> value = normalised * load_as<A>(p.w + c, lanes);
      if constexpr (kCentred) value += load_as<A>(p.b + c, lanes);
      store_as(y + c, value, lanes);
    });
    p.mean[r] = mean, p.rstd[r] = rstd;
  });
}

template <class T>
void layer_norm(const LayerNorm<T>& p) {
  p.b ? norm<true>(p) : norm<false>(p);
}

template <bool kCentred, class T>
void norm_backward(const LayerNormBackward<T>& p) {
  using A = Acc<T>;
  const auto add_row = [&p](long r, A* dw, A* db) {
    const T* dy = p.dy + r * p.cols;
    const A *x = p.x + r * p.cols, *w = p.w, mean = p.mean[r], rstd = p.rstd[r], n = static_cast<A>(p.cols);
    Vector<A> g_sum = {}, gx_sum = {};
    for_each_vector<A>(p.cols, [&](long c, auto lanes) {
      const Vector<A> d = load_as<A>(dy + c, lanes), normalised = (load_as<A>(x + c, lanes) - mean) * rstd;
      const Vector<A> g = d * load_as<A>(w + c, lanes);
      gx_sum += g * normalised;
      store_as(dw + c, load_as<A>(dw + c, lanes) + d * normalised, lanes);
      if constexpr (kCentred) {
        g_sum += g;
        store_as(db + c, load_as<A>(db + c, lanes) + d, lanes);
      }
    });
    const A g_mean = sum_of_lanes<A>(g_sum) / n, gx_mean = sum_of_lanes<A>(gx_sum) / n;
    A* dx = p.dx + r * p.cols;
    const auto write = [=](const A* residual) {
      for_each_vector<A>(p.cols, [=](long c, auto lanes) {
        const Vector<A> normalised = (load_as<A>(x + c, lanes) - mean) * rstd;
        const Vector<A> g = load_as<A>(dy + c, lanes) * load_as<A>(w + c, lanes);
        Vector<A> d = rstd * (g - g_mean - normalised * gx_mean);
        if (residual) d += load_as<A>(residual + c, lanes);
        store_as(dx + c, d, lanes);
      });
    };
    write(p.dresidual ? p.dresidual + r * p.cols : nullptr);
  };
  const auto add_rows = [&](long begin, long end, A* const* sums) {
    for (long r = begin; r < end; ++r) add_row(r, sums[0], kCentred ? sums[1] : nullptr);
  };
  if constexpr (kCentred)
    sum_rows<2, A>(p.rows, p.cols, 8, {p.dw, p.db}, p.accumulate, add_rows);
  else
    sum_rows<1, A>(p.rows, p.cols, 8, {p.dw}, p.accumulate, add_rows);
}

template <class T>
void layer_norm_backward(const LayerNormBackward<T>& p) {
  p.db ? norm_backward<true>(p) : norm_backward<false>(p);
}

}  // namespace KERNELS_ISA

KERNEL(layer_norm, LayerNorm, float);
KERNEL(layer_norm, LayerNorm, double);
KERNEL(layer_norm, LayerNorm, bf16);
KERNEL(layer_norm_backward, LayerNormBackward, float);
KERNEL(layer_norm_backward, LayerNormBackward, double);
KERNEL(layer_norm_backward, LayerNormBackward, bf16);

}  // namespace kernels
