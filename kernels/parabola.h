// A bias of attention that each query draws for itself (PaPE, arXiv 2602.01418): of its offset Δ = query - key,
//   bias = s·(-(Axx·Δx² + 2·Axy·Δx·Δy + Ayy·Δy²) + Bx·Δx + By·Δy),  s = 1 / √head_dim
// written as six more features of q and k, whose product it is:
//   k: (x², x·y, y², x, y, 1) of the key,  q: what stands before each of these, and v: 0
// q is made larger by √((head_dim + 6) / head_dim), since attention divides by √(head_dim + 6) then. For f32 and f64
// alone: with coordinates in bf16 the products would cancel.
#pragma once
#include "kernels/context.h"

namespace kernels {

inline constexpr long kParabolaFeatures = 6;

template <class T>
struct Parabola {
  T* y;         // (images, tokens, 3, heads, head_dim + 6) out
  const T* x;   // (images, tokens, 3, heads, head_dim)
  const T* a;   // (images, tokens, heads, 3): Axx, Axy, Ayy
  const T* b;   // (images, tokens, heads, 2): Bx, By; or null: 0
  const T* at;  // (tokens, 2): x and y
  long images, tokens, heads, head_dim;
};
template <class T>
void parabola(Cpu, const Parabola<T>&);
template <class T>
void parabola(Cuda, const Parabola<T>&);

template <class T>
struct ParabolaBackward {
  T* dx;        // (images, tokens, 3, heads, head_dim) out
  T* da;        // (images, tokens, heads, 3) out
  T* db;        // (images, tokens, heads, 2) out, or not wanted
  const T* dy;  // (images, tokens, 3, heads, head_dim + 6)
  const T* at;  // (tokens, 2)
  long images, tokens, heads, head_dim;
};
template <class T>
void parabola_backward(Cpu, const ParabolaBackward<T>&);
template <class T>
void parabola_backward(Cuda, const ParabolaBackward<T>&);

}  // namespace kernels
