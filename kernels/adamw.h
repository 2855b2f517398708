// AdamW (Loshchilov & Hutter 2019), decay decoupled from the gradient but multiplied by the learning rate as in
// PyTorch, with clipping and the exponential moving average of the weights in the same pass.
#pragma once
#include "kernels/context.h"

namespace kernels {

// g' = g · gradient_scale;  m = β1·m + (1-β1)·g';  v = β2·v + (1-β2)·g'²
// w = w · (1 - lr·decay) - lr · (m / bias1) / (sqrt(v / bias2) + eps);  ema = ema_decay·ema + (1-ema_decay)·w
template <class T>
struct AdamW {
  T* w;              // (n) in, out
  T *m, *v;          // (n) in, out
  T* ema = nullptr;  // (n) in, out, or none
  const T* g;        // (n)
  long n;
  double lr, beta1, beta2, eps, decay, ema_decay = 0;
  double bias1, bias2;        // 1 - β1^t, 1 - β2^t
  double gradient_scale = 1;  // from clipping
};
template <class T>
void adamw(Cpu, const AdamW<T>&);
template <class T>
void adamw(Cuda, const AdamW<T>&);

}  // namespace kernels
