// AdamW on the CPU: one pass over the weights, bound by memory.
#include "kernels/adamw.h"

#include <cmath>

#include "kernels/simd/isa.h"

namespace kernels {
namespace KERNELS_ISA {

template <class T>
void adamw(const AdamW<T>& p) {
  // 1 - β in f64: the rounding of β to f32 would be magnified.
  const T beta1 = p.beta1, beta2 = p.beta2, rest1 = 1 - p.beta1, rest2 = 1 - p.beta2;
  const T eps = p.eps, scale = p.gradient_scale;
  const T shrink = 1 - p.lr * p.decay, step = p.lr / p.bias1, root_bias2 = std::sqrt(p.bias2), ema = p.ema_decay,
          rest_ema = 1 - p.ema_decay;
  // By value: behind references, stores to w might change the scalars, and the loop would not vectorise.
  parallel_blocks(
      p.n,
      [=](long begin, long end) {
        for (long i = begin; i < end; ++i) {
          const T g = p.g[i] * scale;
          const T m = beta1 * p.m[i] + rest1 * g, v = beta2 * p.v[i] + rest2 * g * g;
          p.m[i] = m, p.v[i] = v;
          p.w[i] = p.w[i] * shrink - step * m / (std::sqrt(v) / root_bias2 + eps);
        }
        if (p.ema)
          for (long i = begin; i < end; ++i) p.ema[i] = ema * p.ema[i] + rest_ema * p.w[i];
      },
      8);
}

}  // namespace KERNELS_ISA

KERNEL(adamw, AdamW, float);
KERNEL(adamw, AdamW, double);

}  // namespace kernels
