// Layer normalisation over the last dimension (Ba et al. 2016): y = (x - mean) · rstd · w + b.
#pragma once
#include "kernels/context.h"

namespace kernels {

template <class T>
struct LayerNorm {
  T* y;                // (rows, cols) out; may alias x
  Acc<T>*mean, *rstd;  // (rows) out, kept for the backward pass
  const T* x;          // (rows, cols)
  const Acc<T>*w, *b;  // (cols)
  long rows, cols;     // any cols >= 1
  float eps;
};
template <class T>
void layer_norm(Cpu, const LayerNorm<T>&);

// With x̂ = (x - mean)·rstd and g = dy ⊙ w:  dx = rstd · (g - mean(g) - x̂ · mean(g ⊙ x̂)),  dw = Σ dy ⊙ x̂,  db = Σ dy
template <class T>
struct LayerNormBackward {
  T* dx;                     // (rows, cols) out; may alias dy
  Acc<T>*dw, *db;            // (cols) out
  const T *dy, *x;           // (rows, cols)
  const Acc<T>*mean, *rstd;  // (rows)
  const Acc<T>* w;           // (cols)
  long rows, cols;
};
template <class T>
void layer_norm_backward(Cpu, const LayerNormBackward<T>&);

}  // namespace kernels
