// GELU by tanh and its slope: x·s and s·(1 + x·(1 - s)·u'), where s = σ(u) = (1 + tanh(u/2)) / 2 and
// u = 2·√(2/π)·(x + 0.044715·x³).
#pragma once
#include "kernels/simd/math.h"

namespace kernels::KERNELS_ISA {

struct GeluTanh {
  static constexpr const char* name = "gelu_tanh";
  template <class A>
  static A value(A x) {
    return x * sigmoid(x);
  }
  template <class A>
  static A slope(A x) {
    const A s = sigmoid(x), du = A(1.5957691216057308) * (1 + A(0.134145) * x * x);
    return s + x * (s * (1 - s) * du);
  }

 private:
  template <class A>
  static A sigmoid(A x) {
    return 1 / (1 + fast_exp(A(-1.5957691216057308) * (x + A(0.044715) * x * x * x)));
  }
};

}  // namespace kernels::KERNELS_ISA
