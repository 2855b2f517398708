// Quick GELU, as in CLIP, and its slope: x·s and s·(1 + 1.702·x·(1 - s)), where s = σ(1.702·x).
#pragma once
#include "kernels/simd/math.h"

namespace kernels::KERNELS_ISA {

struct QuickGelu {
  static constexpr const char* name = "quick_gelu";
  template <class A>
  static A value(A x) {
    return x * sigmoid(x);
  }
  template <class A>
  static A slope(A x) {
    const A s = sigmoid(x);
    return s * (1 + A(1.702) * x * (1 - s));
  }

 private:
  template <class A>
  static A sigmoid(A x) {
    return 1 / (1 + fast_exp(A(-1.702) * x));
  }
};

}  // namespace kernels::KERNELS_ISA
