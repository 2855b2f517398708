// Philox4x32-10, a random generator that is a function of a counter (Salmon et al. 2011), for many counters at once.
// Its words are those of Random123's Philox4x32, which tests/kernels/simd/philox_test.cpp compares.
#pragma once
#include <cstdint>
#include <utility>

#include "kernels/simd/vector.h"
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace kernels::KERNELS_ISA {

// One counter per lane of 64 bits. What stands in the upper halves does not matter.
typedef std::uint64_t Lanes64 __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));

// The lower halves times `factor`, all 64 bits of it.
inline Lanes64 full_product(Lanes64 a, std::uint32_t factor) {
  const Lanes64 b = Lanes64{} + factor;
#if defined(__AVX512F__)
  return reinterpret_cast<Lanes64>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Lanes64>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<Lanes64>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  return (a & 0xffffffffU) * b;
#endif
}

template <std::size_t... kLane>
inline void store_words(std::uint32_t* to, Lanes64 a, Lanes64 b, std::index_sequence<kLane...>) {
  constexpr std::size_t kCount = sizeof...(kLane), kHalf = kCount / 2;
  // a and b hold words 0, 1 and 2, 3 of each counter.
  *reinterpret_cast<Lanes64*>(to) = __builtin_shufflevector(a, b, (kLane / 2 + kLane % 2 * kCount)...);
  *reinterpret_cast<Lanes64*>(to + 2 * kCount) =
      __builtin_shufflevector(a, b, (kHalf + kLane / 2 + kLane % 2 * kCount)...);
}

struct Philox {
  std::uint64_t seed;
  std::uint32_t a, b;  // words 2 and 3 of every counter

  static constexpr long kGroups = 4;  // vectors that do not wait for each other
  static constexpr long kCounters = kGroups * kLanes<std::uint64_t>;

  // words[4·i .. 4·i+3] of counter first + i, i < kCounters
  void generate(std::uint32_t* words, std::uint64_t first) const {
    Lanes64 c0[kGroups], c1[kGroups], c2[kGroups], c3[kGroups], lane = {};
    for (long i = 0; i < kLanes<std::uint64_t>; ++i) lane[i] = static_cast<std::uint64_t>(i);
#pragma GCC unroll 4
    for (long g = 0; g < kGroups; ++g) {
      c0[g] = lane + (first + static_cast<std::uint64_t>(g * kLanes<std::uint64_t>));
      c1[g] = c0[g] >> 32, c2[g] = Lanes64{} + a, c3[g] = Lanes64{} + b;
    }
    auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 4
      for (long g = 0; g < kGroups; ++g) {
        const Lanes64 p0 = full_product(c0[g], 0xD2511F53U), p1 = full_product(c2[g], 0xCD9E8D57U);
        c0[g] = (p1 >> 32) ^ c1[g] ^ key0, c2[g] = (p0 >> 32) ^ c3[g] ^ key1;
        c1[g] = p1, c3[g] = p0;
      }
      key0 += 0x9E3779B9U, key1 += 0xBB67AE85U;
    }
    constexpr std::uint64_t kLow = 0xffffffffU;
#pragma GCC unroll 4
    for (long g = 0; g < kGroups; ++g)
      store_words(words + 4 * g * kLanes<std::uint64_t>, (c0[g] & kLow) | c1[g] << 32, (c2[g] & kLow) | c3[g] << 32,
                  std::make_index_sequence<kLanes<std::uint64_t>>());
  }
};

}  // namespace kernels::KERNELS_ISA
