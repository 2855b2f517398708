// The compiler's vector types: one source for every instruction set. The register tile made of them is in
// kernels/simd/register_tile.h.
#pragma once
#include "kernels/simd/isa.h"

namespace kernels::KERNELS_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64, kTileRows = 6, kTileVectors = 4;  // 24 of 32 registers accumulate
#elif defined(__AVX__)
inline constexpr int kVectorBytes = 32, kTileRows = 6, kTileVectors = 2;  // 12 of 16
#elif defined(__aarch64__)
inline constexpr int kVectorBytes = 16, kTileRows = 6, kTileVectors = 4;  // NEON: 24 of 32
#else
inline constexpr int kVectorBytes = 16, kTileRows = 6, kTileVectors = 2;
#endif

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
inline constexpr long kLanes = kVectorBytes / static_cast<long>(sizeof(T));

template <class T>
inline Vector<T> load(const T* from) {
  return *reinterpret_cast<const Vector<T>*>(from);
}
template <class T>
inline void store(T* to, Vector<T> value) {
  *reinterpret_cast<Vector<T>*>(to) = value;
}

// Of sizes. std::min and std::max could be left as functions that instruction sets share (isa.h).
constexpr long smaller(long a, long b) { return a < b ? a : b; }
constexpr long greater(long a, long b) { return a > b ? a : b; }

// The smallest multiple of the vector width that holds n values.
template <class T>
constexpr long padded(long n) {
  return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

}  // namespace kernels::KERNELS_ISA
