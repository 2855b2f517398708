// Weights of sigmoid attention from logits that are in log2.
#pragma once
#include "kernels/simd/math.h"

namespace kernels::KERNELS_ISA {

// σ(x·ln 2), by 2^-|x|, which is never infinite
template <class T>
LOOKHERE_INLINE Vector<T> sigmoid_of_log2(Vector<T> x) {
  const Vector<T> zero = {}, one = zero + T(1), power = exp2(-larger<T>(x, -x));
  return (x < zero ? power : one) / (one + power);
}

}  // namespace kernels::KERNELS_ISA
