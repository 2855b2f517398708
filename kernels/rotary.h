// Axial rotary position embedding (RoFormer, arXiv 2104.09864, on two axes as CroCo v2's): pairs of features of q and k
// are turned by angles that depend on the patch, so that q·k depends on how far apart two patches lie.
//   y[a] = x[a]·cos θ - x[b]·sin θ,  y[b] = x[b]·cos θ + x[a]·sin θ
// A head's features are two halves, the first for rows, the second for columns; in each half, feature i and feature
// i + head_dim / 4 are a pair. v and the tokens before the patches stay as they are.
#pragma once
#include "kernels/context.h"

namespace kernels {

template <class T>
struct Rotary {
  T* y;                                           // (images, tokens, 3, heads, head_dim) out; may be x
  const T* x;                                     // (images, tokens, 3, heads, head_dim): packed q, k, v
  const Acc<T>*cos, *sin;                         // (patches, head_dim / 2): first the row's angles, then the column's
  long images, tokens, patches, heads, head_dim;  // head_dim a multiple of 4; the last `patches` tokens are turned
  bool inverse = false;                           // turn back, which is also the gradient
  bool by_head = false;                           // cos and sin are (patches, heads, head_dim / 2)
};
template <class T>
void rotary(Cpu, const Rotary<T>&);
template <class T>
void rotary(Cuda, const Rotary<T>&);

// The gradient of angles that each head has of its own, from turned values: dθ = Σ dy[b]·y[a] - dy[a]·y[b] over images,
// q and k.
template <class T>
struct RotaryAngles {
  Acc<T>* dangles;  // (patches, heads, head_dim / 2) out
  const T *dy, *y;  // (images, tokens, 3, heads, head_dim)
  long images, tokens, patches, heads, head_dim;
};
template <class T>
void rotary_angles(Cpu, const RotaryAngles<T>&);
template <class T>
void rotary_angles(Cuda, const RotaryAngles<T>&);

}  // namespace kernels
