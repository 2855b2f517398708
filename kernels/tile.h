// The inner loop of attention: a register tile C[r][·] += Σ_k A(r, k) · B[k][·], where single values of A are broadcast
// and B's rows are contiguous. Written with the compiler's vector types: one source for every instruction set.
#pragma once
#include "kernels/isa.h"

namespace kernels::KERNELS_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64, kTileRows = 6, kTileVectors = 4;  // 24 of 32 registers accumulate
#elif defined(__AVX__)
inline constexpr int kVectorBytes = 32, kTileRows = 6, kTileVectors = 2;  // 12 of 16
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

// The smallest multiple of the vector width that holds n values.
template <class T>
constexpr long padded(long n) {
  return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

template <class T>
struct TileProduct {
  T* c;  // (m, n) in, out; rows c_row apart
  long c_row;
  const T* a;  // A(r, k) = a[r * a_row + k * a_k]
  long a_row, a_k;
  const T* b;  // (k, n); rows b_row apart
  long b_row;
  long m, n, k;  // n a multiple of the vector width
};

template <int kRows, int kVectors, class T>
inline void tile(const TileProduct<T>& p, long row, long column) {
  Vector<T> acc[kRows][kVectors];
  T* c = p.c + row * p.c_row + column;
  const T *a = p.a + row * p.a_row, *b = p.b + column;
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) acc[r][v] = load(c + r * p.c_row + v * kLanes<T>);
  for (long k = 0; k < p.k; ++k, a += p.a_k, b += p.b_row) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const T broadcast = a[r * p.a_row];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[r][v] += broadcast * load(b + v * kLanes<T>);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) store(c + r * p.c_row + v * kLanes<T>, acc[r][v]);
}

// Full tiles of kRows rows, then the rest with fewer.
template <int kRows, int kVectors, class T>
inline void tile_rows(const TileProduct<T>& p, long row, long column) {
  for (; row + kRows <= p.m; row += kRows) tile<kRows, kVectors>(p, row, column);
  if constexpr (kRows > 1)
    if (row < p.m) tile_rows<kRows - 1, kVectors>(p, row, column);
}

template <int kVectors, class T>
inline void tile_columns(const TileProduct<T>& p, long column) {
  for (; column + kVectors * kLanes<T> <= p.n; column += kVectors * kLanes<T>)
    tile_rows<kTileRows, kVectors>(p, 0, column);
  if constexpr (kVectors > 1)
    if (column < p.n) tile_columns<kVectors - 1>(p, column);
}

template <class T>
void tile_product(const TileProduct<T>& p) {
  tile_columns<kTileVectors>(p, 0);
}

}  // namespace kernels::KERNELS_ISA
