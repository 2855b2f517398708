// Vectors of float from and to bf16 in memory, so that one kernel template serves every type: load_as<Acc<T>>(const T*)
// and store_as(T*, Vector<Acc<T>>) convert where T is bf16 and are plain loads and stores otherwise. load_as<double>
// also reads floats.
#pragma once
#include <type_traits>

#include "kernels/simd/vector.h"
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace kernels::KERNELS_ISA {

// As many bf16 as a vector has floats, and the bits of those floats.
typedef std::uint16_t Halves __attribute__((vector_size(kVectorBytes / 2), aligned(alignof(bf16)), may_alias));
typedef std::uint32_t Words __attribute__((vector_size(kVectorBytes)));

inline Vector<float> widen(Halves bits) {
  // g++ 12 makes several instructions of __builtin_convertvector where there is one, and warns of the intrinsics
  // without a mask (GCC bug 105593).
#if defined(__AVX512F__)
  const Words words = reinterpret_cast<Words>(_mm512_maskz_cvtepu16_epi32(0xffff, reinterpret_cast<__m256i>(bits)));
#elif defined(__AVX2__)
  const Words words = reinterpret_cast<Words>(_mm256_cvtepu16_epi32(reinterpret_cast<__m128i>(bits)));
#else
  const Words words = __builtin_convertvector(bits, Words);
#endif
  return reinterpret_cast<Vector<float>>(words << 16);
}

// The bits of bf16(float), in the lower half of each word. By integers on every instruction set, since AVX512_BF16's
// own conversion takes denormal numbers for zero.
inline Words bf16_bits(Vector<float> value) {
  const Words u = reinterpret_cast<Words>(value);
  return value == value ? (u + 0x7fffU + ((u >> 16) & 1U)) >> 16 : (u >> 16) | 0x40U;
}
inline Halves narrow(Vector<float> value) {
  const Words bits = bf16_bits(value);
#if defined(__AVX512F__)
  return reinterpret_cast<Halves>(_mm512_maskz_cvtepi32_epi16(0xffff, reinterpret_cast<__m512i>(bits)));
#else
  return __builtin_convertvector(bits, Halves);
#endif
}

// As many floats as a vector has doubles.
typedef float HalfOfFloats __attribute__((vector_size(kVectorBytes / 2), aligned(alignof(float)), may_alias));

template <class A, class T>
inline Vector<A> load_as(const T* from) {
  if constexpr (std::is_same_v<T, bf16>)
    return widen(*reinterpret_cast<const Halves*>(from));
  else if constexpr (!std::is_same_v<A, T>)
    return __builtin_convertvector(*reinterpret_cast<const HalfOfFloats*>(from), Vector<A>);
  else
    return load(from);
}
template <class T>
inline void store_as(T* to, Vector<Acc<T>> value) {
  if constexpr (std::is_same_v<T, bf16>)
    *reinterpret_cast<Halves*>(to) = narrow(value);
  else
    store(to, value);
}

// The end of a row: n values, fewer than a vector has. The lanes behind them are 0 and are not stored.
template <class A, class T>
inline Vector<A> load_as(const T* from, long n) {
  Vector<A> value = {};
  for (long i = 0; i < n; ++i) value[i] = static_cast<A>(from[i]);
  return value;
}
template <class T>
inline void store_as(T* to, Vector<Acc<T>> value, long n) {
  for (long i = 0; i < n; ++i) to[i] = static_cast<T>(value[i]);
}

}  // namespace kernels::KERNELS_ISA
