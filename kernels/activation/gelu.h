// GELU and its slope: x·Φ(x) and Φ(x) + x·φ(x).
#pragma once
#include "kernels/simd/math.h"

namespace kernels::KERNELS_ISA {

struct Gelu {
  static constexpr const char* name = "gelu";
  template <class A>
  static A value(A x) {
    return x * normal(x).cdf;
  }
  template <class A>
  static A slope(A x) {
    const Normal<A> at = normal(x);
    return at.cdf + x * at.density;
  }
};

}  // namespace kernels::KERNELS_ISA
