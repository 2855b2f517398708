// Matrix product C = A·B (+ C), the one place that calls BLAS.
#pragma once
#include "kernels/context.h"

namespace kernels {

enum class Transpose { no, yes };

template <class T>
struct Gemm {
  T* c;        // (m, n) out
  const T* a;  // (m, k), or (k, m) if transpose_a
  const T* b;  // (k, n), or (n, k) if transpose_b
  long m, n, k;
  Transpose transpose_a = Transpose::no, transpose_b = Transpose::no;
  bool accumulate = false;  // add to c instead of overwriting it
};
template <class T>
void gemm(Cpu, const Gemm<T>&);

// y = x·Wᵀ + b, one row per token.
template <class T>
struct Linear {
  T* y;                  // (rows, out) out
  const T* x;            // (rows, in)
  const T* w;            // (out, in)
  const T* b = nullptr;  // (out), or none
  long rows, in, out;
};
template <class T>
void linear(Cpu, const Linear<T>&);

}  // namespace kernels
