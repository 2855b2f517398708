// What vectors can do beyond arithmetic: masked loads, sums across lanes, transposition. Compiler vector types, so
// one source for every instruction set; intrinsics where AVX-512 has one instruction for what takes many.
#pragma once
#include <cstdint>
#include <utility>

#include "kernels/simd/vector.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace kernels::KERNELS_ISA {

#define LOOKHERE_INLINE [[gnu::always_inline]] inline

// -- masks: which lanes take part --
template <class T>
struct IntegerOf {
  using type = std::int32_t;
};
template <>
struct IntegerOf<double> {
  using type = std::int64_t;
};
template <class T>
using Integers = Vector<typename IntegerOf<T>::type>;

#if defined(__AVX512F__)
template <class T>
using LaneMask = std::uint16_t;  // bit l: lane l
template <class T>
LOOKHERE_INLINE LaneMask<T> lane_mask(unsigned bits) {
  return static_cast<LaneMask<T>>(bits);
}
LOOKHERE_INLINE Vector<float> load_where(Vector<float> other, LaneMask<float> mask, const float* from) {
  return Vector<float>(_mm512_mask_loadu_ps(__m512(other), mask, from));
}
LOOKHERE_INLINE Vector<double> load_where(Vector<double> other, LaneMask<double> mask, const double* from) {
  return Vector<double>(_mm512_mask_loadu_pd(__m512d(other), static_cast<__mmask8>(mask), from));
}
LOOKHERE_INLINE void store_where(float* to, LaneMask<float> mask, Vector<float> value) {
  _mm512_mask_storeu_ps(to, mask, __m512(value));
}
LOOKHERE_INLINE void store_where(double* to, LaneMask<double> mask, Vector<double> value) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>(mask), __m512d(value));
}
#else
template <class T>
using LaneMask = Integers<T>;  // all bits of a lane
template <class T>
LOOKHERE_INLINE LaneMask<T> lane_mask(unsigned bits) {  // bit l: lane l
  LaneMask<T> mask = {};
  for (unsigned i = 0; i < kLanes<T>; ++i) mask[i] = -static_cast<int>(bits >> i & 1U);
  return mask;
}
// Reads whole vectors: what lies around the lanes asked for must be readable.
template <class T>
LOOKHERE_INLINE Vector<T> load_where(Vector<T> other, LaneMask<T> mask, const T* from) {
  return mask ? load(from) : other;
}
template <class T>
LOOKHERE_INLINE void store_where(T* to, LaneMask<T> mask, Vector<T> value) {
  store(to, mask ? value : load(to));
}
#endif

// -- across lanes --
// The sum of n values in one vector, by halves.
template <class T, class V, std::size_t... I>
LOOKHERE_INLINE T sum_by_halves(V x, std::index_sequence<I...>) {
  constexpr std::size_t n = sizeof...(I);
  if constexpr (n == 1) {
    return x[0] + x[1];
  } else {
    const auto sum = __builtin_shufflevector(x, x, I...) + __builtin_shufflevector(x, x, (n + I)...);
    return sum_by_halves<T>(sum, std::make_index_sequence<n / 2>());
  }
}
template <class T>
LOOKHERE_INLINE T sum_of_lanes(Vector<T> x) {
  return sum_by_halves<T>(x, std::make_index_sequence<kLanes<T> / 2>());
}

// The larger one lane by lane; NaN in x stays NaN.
template <class T>
LOOKHERE_INLINE Vector<T> larger(Vector<T> than, Vector<T> x) {
  return than > x ? than : x;
}
#if defined(__AVX512F__)
template <>
LOOKHERE_INLINE Vector<float> larger<float>(Vector<float> than, Vector<float> x) {
  // The second operand where one is NaN. With a mask of all lanes, since g++ 12 takes the unmasked intrinsics for reads
  // of something uninitialised (GCC bug 105593).
  return Vector<float>(_mm512_maskz_max_ps(0xFFFF, __m512(than), __m512(x)));
}
#endif

template <class T, std::size_t... I>
LOOKHERE_INLINE void interleave(Vector<T> a, Vector<T> b, Vector<T>& low, Vector<T>& high, std::index_sequence<I...>) {
  constexpr int n = kLanes<T>;
  low = __builtin_shufflevector(a, b, static_cast<int>(I % 2 ? n + I / 2 : I / 2)...);
  high = __builtin_shufflevector(a, b, static_cast<int>(I % 2 ? n + n / 2 + I / 2 : n / 2 + I / 2)...);
}

// Lane i becomes the sum over rows[i]: half as many shuffles as summing each row by itself.
template <class T, int kRows = kLanes<T>>
LOOKHERE_INLINE Vector<T> sums_of_rows(Vector<T> (&rows)[kLanes<T>]) {
#pragma GCC unroll 8
  for (int i = 0; i < kRows / 2; ++i) {
    Vector<T> low, high;
    interleave<T>(rows[i], rows[i + kRows / 2], low, high, std::make_index_sequence<kLanes<T>>());
    rows[i] = low + high;
  }
  if constexpr (kRows > 2) sums_of_rows<T, kRows / 2>(rows);
  return rows[0];
}

// Is any lane of a larger than that of b, or not a number?
template <class T>
LOOKHERE_INLINE bool any_larger(Vector<T> a, Vector<T> b) {
  const Integers<T> mask = a <= b;
  std::int64_t parts[kVectorBytes / 8], all = -1;
  __builtin_memcpy(parts, &mask, sizeof mask);
  for (const std::int64_t part : parts) all &= part;
  return all != -1;
}
#if defined(__AVX512F__)
template <>
LOOKHERE_INLINE bool any_larger<float>(Vector<float> a, Vector<float> b) {
  return _mm512_cmp_ps_mask(__m512(a), __m512(b), _CMP_NLE_UQ) != 0;
}
#endif

// Rows become columns: interleaving the first half of the rows with the second, as often as the width has bits.
template <class T>
LOOKHERE_INLINE void transpose(Vector<T> (&rows)[kLanes<T>]) {
  constexpr int n = kLanes<T>;
#pragma GCC unroll 4
  for (int round = 1; round < n; round *= 2) {
    Vector<T> next[n];
#pragma GCC unroll 16
    for (int i = 0; i < n / 2; ++i)
      interleave<T>(rows[i], rows[i + n / 2], next[2 * i], next[2 * i + 1], std::make_index_sequence<n>());
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) rows[i] = next[i];
  }
}

}  // namespace kernels::KERNELS_ISA
