// AdamW on a GPU: a thread per weight, bound by memory.
#include "kernels/adamw.h"

#include <cmath>

#include "kernels/cuda/map.h"

namespace kernels {

template <class T>
void adamw(Cuda cuda, const AdamW<T>& p) {
  // 1 - β in f64: the rounding of β to f32 would be magnified.
  const T beta1 = p.beta1, beta2 = p.beta2, rest1 = 1 - p.beta1, rest2 = 1 - p.beta2;
  const T eps = p.eps, scale = p.gradient_scale;
  const T shrink = 1 - p.lr * p.decay, step = p.lr / p.bias1, root_bias2 = std::sqrt(p.bias2), ema = p.ema_decay,
          rest_ema = 1 - p.ema_decay;
  cuda::for_each(cuda, p.n, [=] __device__(long i) {
    const T g = p.g[i] * scale;
    const T m = beta1 * p.m[i] + rest1 * g, v = beta2 * p.v[i] + rest2 * g * g;
    p.m[i] = m, p.v[i] = v;
    p.w[i] = p.w[i] * shrink - step * m / (std::sqrt(v) / root_bias2 + eps);
    if (p.ema) p.ema[i] = ema * p.ema[i] + rest_ema * p.w[i];
  });
}

template void adamw(Cuda, const AdamW<float>&);
template void adamw(Cuda, const AdamW<double>&);

}  // namespace kernels
