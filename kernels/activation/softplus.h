// Softplus and its slope: log(1 + eˣ) and σ(x).
#pragma once
#include "kernels/simd/math.h"

namespace kernels::KERNELS_ISA {

struct Softplus {
  static constexpr const char* name = "softplus";
  template <class A>
  static A value(A x) {
    return (x > 0 ? x : A(0)) + fast_log1p(fast_exp(x > 0 ? -x : x));
  }
  template <class A>
  static A slope(A x) {
    return 1 / (1 + fast_exp(-x));
  }
};

}  // namespace kernels::KERNELS_ISA
