// SiLU and its slope: x·σ(x) and σ(x)·(1 + x·(1 - σ(x))).
#pragma once
#include "kernels/simd/math.h"

namespace kernels::KERNELS_ISA {

struct Silu {
  static constexpr const char* name = "silu";
  template <class A>
  static A value(A x) {
    return x * sigmoid(x);
  }
  template <class A>
  static A slope(A x) {
    const A s = sigmoid(x);
    return s * (1 + x * (1 - s));
  }

 private:
  template <class A>
  static A sigmoid(A x) {
    return 1 / (1 + fast_exp(-x));
  }
};

}  // namespace kernels::KERNELS_ISA
