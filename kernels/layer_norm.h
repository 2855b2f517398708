// Layer normalisation over the last dimension (Ba et al. 2016): y = (x - mean) · rstd · w + b. Without b it is RMSNorm
// (Zhang & Sennrich 2019), which takes 0 for the mean.
#pragma once
#include "kernels/context.h"

namespace kernels {

template <class T>
struct LayerNorm {
  T* y;                // (rows, cols) out; may alias x where their types are the same
  Acc<T>*mean, *rstd;  // (rows) out, kept for the backward pass
  const Acc<T>* x;     // (rows, cols)
  const Acc<T>*w, *b;  // (cols); b or nullptr
  long rows, cols;     // any cols >= 1
  double eps;
};
template <class T>
void layer_norm(Cpu, const LayerNorm<T>&);
template <class T>
void layer_norm(Cuda, const LayerNorm<T>&);

// With x̂ = (x - mean)·rstd and g = dy ⊙ w:
//   dx = rstd · (g - mean(g) - x̂ · mean(g ⊙ x̂)) + dresidual,  dw = Σ dy ⊙ x̂,  db = Σ dy
// without db, RMSNorm:
//   dx = rstd · (g - x̂ · mean(g ⊙ x̂)) + dresidual
template <class T>
struct LayerNormBackward {
  Acc<T>* dx;                         // (rows, cols) out; may alias dresidual, and dy where their types are the same
  Acc<T>*dw, *db;                     // (cols) out; db or nullptr
  const T* dy;                        // (rows, cols)
  const Acc<T>* x;                    // (rows, cols)
  const Acc<T>*mean, *rstd;           // (rows)
  const Acc<T>* w;                    // (cols)
  const Acc<T>* dresidual = nullptr;  // (rows, cols), what flows past the norm, or 0
  long rows, cols;
  bool accumulate = false;  // dw and db are added to
};
template <class T>
void layer_norm_backward(Cpu, const LayerNormBackward<T>&);
template <class T>
void layer_norm_backward(Cuda, const LayerNormBackward<T>&);

}  // namespace kernels
