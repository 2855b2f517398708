// exp, 2^x, log, log1p, tanh and the normal distribution as straight-line code, so that loops over them vectorise
// without -ffast-math; 2^x and log also of vectors. f32: own polynomials (tests/kernels/simd/math_test.cpp bounds their
// errors); f64: the C library.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/simd/lanes.h"

namespace kernels::KERNELS_ISA {

inline constexpr float kRound = 12582912.F;  // 1.5·2^23: adding it rounds to an integer in the low bits

// e^x: relative error below 2 ulp; 0 below -86.6, infinity above 88.7, NaN stays NaN.
inline float fast_exp(float x) {
  constexpr float kLog2e = 1.44269504F;
  constexpr float kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  const float shifted = x * kLog2e + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;  // |r| <= ln2 / 2
  float p = 1.9841270e-4F;
  p = p * r + 1.3888889e-3F;
  p = p * r + 8.3333333e-3F;
  p = p * r + 4.1666667e-2F;
  p = p * r + 1.6666667e-1F;
  p = p * r + 0.5F;
  p = p * r * r + r + 1.F;
  // 2^n in two steps, since n = 128 is no exponent of a float; the low bits of `shifted` hold n.
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(shifted) << 23;
  const float value = 2.F * p * std::bit_cast<float>(bits + (126U << 23));
  return x < -86.6F ? 0.F : x > 88.72F ? std::bit_cast<float>(0x7f800000U) : value;
}
inline double fast_exp(double x) { return std::exp(x); }

// 2^f for |f| <= 1/2, of a float or a vector (Cephes' exp2f).
template <class V>
LOOKHERE_INLINE V exp2_of_fraction(V f) {
  V p = f * 1.535336188319500E-4F + 1.339887440266574E-3F;
  p = p * f + 9.618437357674640E-3F;
  p = p * f + 5.550332471162809E-2F;
  p = p * f + 2.402264791363012E-1F;
  p = p * f + 6.931472028550421E-1F;
  return p * f + 1.F;
}

// 2^x for x <= 0 or little above, as softmax needs it: relative error below 2 ulp, exactly 0 below -126.5 (also at
// -inf), NaN stays NaN.
inline float fast_exp2_of_negative(float x) {
  x = x < -127.F ? -127.F : x;
  const float shifted = x + kRound, f = x - (shifted - kRound);
  return exp2_of_fraction(f) * std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127U) << 23);
}
LOOKHERE_INLINE Vector<float> exp2(Vector<float> x) {
  x = larger<float>(Vector<float>{} - 127.F, x);
#if defined(__AVX512F__)
  const Vector<float> n(_mm512_maskz_roundscale_ps(0xFFFF, __m512(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  const Vector<float> p = exp2_of_fraction(x - n);
  // scalef has no gap at the bottom of the exponents: below -126.5 the result is 0 on every instruction set.
  return Vector<float>(
      _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(__m512(n), _mm512_set1_ps(-127.F), _CMP_NEQ_UQ), __m512(p), __m512(n)));
#else
  const Vector<float> shifted = x + kRound, p = exp2_of_fraction(x - (shifted - kRound));
  return p * reinterpret_cast<Vector<float>>((reinterpret_cast<Integers<float>>(shifted) + 127) << 23);
#endif
}
LOOKHERE_INLINE Vector<double> exp2(Vector<double> x) {
  for (long i = 0; i < kLanes<double>; ++i) x[i] = std::exp2(x[i]);
  return x;
}

// log x for normal x > 0, relative error below 2 ulp away from 1 (Cephes' polynomial)
LOOKHERE_INLINE Vector<float> log(Vector<float> x) {
  const Integers<float> bits = reinterpret_cast<Integers<float>>(x);
  const Integers<float> e = (bits - 0x3f3504f3) >> 23;  // x = 2^e · m, m in [√½, √2)
  const Vector<float> m = reinterpret_cast<Vector<float>>(bits - (e << 23)) - 1.F;
  const Vector<float> n = __builtin_convertvector(e, Vector<float>);
  Vector<float> p = m * 7.0376836292E-2F - 1.1514610310E-1F;
  p = p * m + 1.1676998740E-1F;
  p = p * m - 1.2420140846E-1F;
  p = p * m + 1.4249322787E-1F;
  p = p * m - 1.6668057665E-1F;
  p = p * m + 2.0000714765E-1F;
  p = p * m - 2.4999993993E-1F;
  p = p * m + 3.3333331174E-1F;
  const Vector<float> square = m * m;
  return n * 0.693359375F + (m + (p * m * square - 0.5F * square + n * -2.12194440e-4F));
}
LOOKHERE_INLINE Vector<double> log(Vector<double> x) {
  for (long i = 0; i < kLanes<double>; ++i) x[i] = std::log(x[i]);
  return x;
}

// log(1 + x) for x in [0, 1] only: relative error below 3 ulp.
inline float fast_log1p(float x) {
  const float s = x / (2.F + x), z = s * s;  // log(1 + x) = 2·atanh(s), s <= 1/3
  float p = 0.134257495F;
  p = p * z + 0.141183093F;
  p = p * z + 0.200037807F;
  p = p * z + 0.333333194F;
  return 2.F * (s + s * z * p);
}
inline double fast_log1p(double x) { return std::log1p(x); }

// Relative error below 3 ulp: a polynomial about 0 (Cephes' tanhf), beyond 1 - 2 / (e^2|x| + 1).
inline float fast_tanh(float x) {
  const float a = std::abs(x), z = x * x;
  float p = -5.70498872745e-3F;
  p = p * z + 2.06390887954e-2F;
  p = p * z - 5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z - 3.33332819422e-1F;
  const float near = p * z * x + x, far = std::copysign(1.F - 2.F / (fast_exp(2.F * a) + 1.F), x);
  return a < 0.625F ? near : far;
}
inline double fast_tanh(double x) { return std::tanh(x); }

// Φ(x), the normal distribution function, and φ(x), its density: GELU is x·Φ(x), its derivative Φ(x) + x·φ(x).
template <class T>
struct Normal {
  T cdf, density;
};

inline constexpr float kNormalTail[9] = {7.16925206e-6F, 0.11948768F, 0.1219204F,    0.0946832597F, 0.142536208F,
                                         -0.0765075535F, 0.22866109F, -0.169166639F, 0.0383784026F};

inline Normal<float> normal(float x) {
  const float a = std::abs(x);
  const float e = fast_exp2_of_negative(-0.721347520F * (a * a));  // e^(-a²/2)
  // Φ(-a) = e^(-a²/2) · R(1 / (1 + 0.3 a)), R a polynomial fitted to relative error 6e-8 on a in [0, 14].
  const float t = 1.F / (1.F + 0.3F * a);
  float r = kNormalTail[8];
  for (int i = 7; i >= 0; --i) r = r * t + kNormalTail[i];
  const float tail = e * r;
  return {x >= 0 ? 1.F - tail : tail, 0.398942280F * e};
}
inline Normal<double> normal(double x) {
  return {0.5 * std::erfc(-x * 0.70710678118654752), 0.39894228040143268 * std::exp(-0.5 * x * x)};
}

}  // namespace kernels::KERNELS_ISA
