// The micro-kernel of every product, in GEMM and attention: a tile of C stays in registers while rows of B are
// multiplied by single values of A:
//   C[r][·] = start(r, ·) + Σ_k a(r, k) · B[k][·]
// Where the operands come from and what becomes of the result is the caller's: functions that the compiler inlines.
#pragma once
#include "kernels/simd/lanes.h"
#include "kernels/simd/pairs.h"

namespace kernels::KERNELS_ISA {

// kRows × kVectors accumulators, one row of B and a broadcast fill the registers: 6×4 of 32, or 6×2 of 16.
//   a(r, k): a slot;  b(k): a pointer to the values of kVectors vectors;  start(r, v): a vector of Acc<S>;
//   finish(r, v, vector)
// Steps are added in the order of k: however a product is cut into tiles, the bits are the same.
template <class S, int kRows, int kVectors, class A, class B, class Start, class Finish>
LOOKHERE_INLINE void register_tile(long steps, A a, B b, Start start, Finish finish) {
  Vector<Acc<S>> c[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) c[r][v] = start(r, v);
#pragma GCC unroll 2
  for (long k = 0; k < steps; ++k) {
    Vector<S> row[kVectors];
    const auto* from = b(k);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) row[v] = load_slots<S>(from, v * kLanes<S>);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const S value = a(r, k);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) c[r][v] = multiply_add(c[r][v], value, row[v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) finish(r, v, c[r][v]);
}

// How many rows of accumulators fit beside kVectors vectors of B.
template <int kVectors>
inline constexpr int kRowsBeside = kTileVectors == 4 ? (kVectors == 4   ? 6
                                                        : kVectors == 3 ? 8
                                                                        : 12)
                                                     : (kVectors == 2 ? 6 : 8);

// f.template operator()<rows>(first row) for [0, count) in tiles of kRows, then 4, 2 and 1.
template <int kRows, class F>
LOOKHERE_INLINE void for_each_row_tile(long count, F f) {
  long row = 0;
  for (; row + kRows <= count; row += kRows) f.template operator()<kRows>(row);
  if constexpr (kRows > 8)
    if (row + 8 <= count) f.template operator()<8>(row), row += 8;
  if constexpr (kRows > 4)
    if (row + 4 <= count) f.template operator()<4>(row), row += 4;
  if constexpr (kRows > 2)
    if (row + 2 <= count) f.template operator()<2>(row), row += 2;
  if (row < count) f.template operator()<1>(row);
}

// f.template operator()<vectors>(first vector) for [0, count): as many at once as the registers hold.
template <class F>
LOOKHERE_INLINE void for_each_column_tile(long count, F f) {
  long v = 0;
  for (; v + kTileVectors <= count; v += kTileVectors) f.template operator()<kTileVectors>(v);
  if constexpr (kTileVectors > 3)
    if (count - v == 3) return f.template operator()<3>(v);
  if constexpr (kTileVectors > 2)
    if (count - v == 2) return f.template operator()<2>(v);
  if (v < count) f.template operator()<1>(v);
}

}  // namespace kernels::KERNELS_ISA
