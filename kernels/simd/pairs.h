// Two bf16 as one operand: AVX512_BF16 multiplies pairs and adds both products to a float with one instruction.
#pragma once
#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/simd/bf16_vector.h"
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace kernels {

using Word = std::uint32_t;

// Two bf16 that are neighbours along k, as one 32-bit word. Any two that lie side by side in memory may be read as one.
struct [[gnu::may_alias]] Pair {
  std::uint16_t first, second;
};
template <>
struct AccumulateIn<Pair> {
  using type = float;
};

namespace KERNELS_ISA {

template <>
struct VectorOf<Pair> {
  typedef Word type __attribute__((vector_size(kVectorBytes), aligned(alignof(std::uint16_t)), may_alias));
};

// A slot is what a product takes from A or B at a time: a float, a double, or a Pair where the processor multiplies
// pairs. Elsewhere bf16 is multiplied as float: the product of two bf16 is exact in f32.
#if defined(__AVX512BF16__)
template <class T>
using Slot = std::conditional_t<std::is_same_v<T, bf16>, Pair, T>;
#else
template <class T>
using Slot = Acc<T>;
#endif
template <class S>
inline constexpr bool kPairs = std::is_same_v<S, Pair>;
template <class S>
inline constexpr long kSlotValues = kPairs<S> ? 2 : 1;
template <class T>
inline constexpr long kDepth = kSlotValues<Slot<T>>;  // steps along k in a slot

// Slots i.. of a row of values.
template <class S, class T>
inline Vector<S> load_slots(const T* row, long i) {
  if constexpr (kPairs<S>)
    return load(reinterpret_cast<const Pair*>(row) + i);
  else
    return load_as<S>(row + i);
}
template <class S, class T>
inline S slot(const T* row, long i) {
  if constexpr (kPairs<S>)
    return reinterpret_cast<const Pair*>(row)[i];
  else
    return static_cast<S>(row[i]);
}

// sum + a · b; of pairs both products are added
template <class S>
inline Vector<S> multiply_add(Vector<S> sum, S a, Vector<S> b) {
  return sum + a * b;
}

#if defined(__AVX512BF16__)
inline Vector<float> multiply_add(Vector<float> sum, Pair a, Vector<Pair> b) {
  const Vector<Word> pair = Vector<Word>{} + std::bit_cast<Word>(a);
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(pair), "v"(b));
  return sum;
}

// Lane by lane, rounded to bf16. Denormal numbers become 0.
inline Vector<Pair> pairs_of(Vector<float> first, Vector<float> second) {
  typedef std::uint16_t Values __attribute__((vector_size(kVectorBytes)));
  const Values x = reinterpret_cast<Values>(_mm512_cvtne2ps_pbh(__m512(second), __m512(first)));
  return reinterpret_cast<Vector<Pair>>(__builtin_shufflevector(x, x, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22,
                                                                7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14,
                                                                30, 15, 31));
}
// Neighbouring lanes become pairs: half a vector of them.
inline void store_rounded(Pair* to, Vector<float> value) {
  *reinterpret_cast<Halves*>(to) = reinterpret_cast<Halves>(_mm512_cvtneps_pbh(__m512(value)));
}
// to[d] = the pair of first[d] and second[d]; a null row is 0, as is everything from n up to width.
inline void side_by_side(Pair* to, const bf16* first, const bf16* second, long n, long width) {
  const auto bits = [](const bf16* row, long d, long count) {
    if (!row) return Vector<Word>{};
    return reinterpret_cast<Vector<Word>>(count < kLanes<float> ? load_as<float>(row + d, count)
                                                                : load_as<float>(row + d));
  };
  for (long d = 0; d < width; d += kLanes<float>) {
    const long count = n - d < kLanes<float> ? n - d : kLanes<float>;
    store(to + d, reinterpret_cast<Vector<Pair>>((bits(first, d, count) >> 16) | bits(second, d, count)));
  }
}
#endif

}  // namespace KERNELS_ISA
}  // namespace kernels
