// Copies from one floating type to the next one down or up: double, float, bf16.
#pragma once
#include "kernels/context.h"

namespace kernels {

template <class T>
struct NextUp;
template <>
struct NextUp<bf16> {
  using type = float;
};
template <>
struct NextUp<float> {
  using type = double;
};
template <class T>
using Wider = typename NextUp<T>::type;

// y = x, rounded to nearest, ties to even; NaN stays NaN
template <class T>
struct Narrow {
  T* y;               // (n) out
  const Wider<T>* x;  // (n)
  long n;
};
template <class T>
void narrow(Cpu, const Narrow<T>&);
template <class T>
void narrow(Cuda, const Narrow<T>&);

// y = x, exactly
template <class T>
struct Widen {
  Wider<T>* y;  // (n) out
  const T* x;   // (n)
  long n;
};
template <class T>
void widen(Cpu, const Widen<T>&);
template <class T>
void widen(Cuda, const Widen<T>&);

}  // namespace kernels
