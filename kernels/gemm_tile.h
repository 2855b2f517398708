// The inner loop of matrix products: a register tile of C that adds up broadcast values of A times packed rows of B,
// f32, or bf16 two steps along k at a time where the processor has an instruction for it.
#pragma once
#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/tile.h"
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace kernels::KERNELS_ISA {

// A slot is what a tile takes from A or B at a time, always 32 bits: a float, or two bf16 that are neighbours along k.
// Without AVX512_BF16 bf16 is multiplied as float: packing rounds, the product of two bf16 is exact in f32.
struct Pair {
  std::uint16_t first, second;
};
#if defined(__AVX512BF16__)
template <class T>
using Slot = std::conditional_t<std::is_same_v<T, bf16>, Pair, float>;
#else
template <class T>
using Slot = float;
#endif
template <class T>
inline constexpr long kDepth = std::is_same_v<Slot<T>, Pair> ? 2 : 1;  // steps along k in a slot

using Word = std::uint32_t;
inline constexpr long kWidth = kLanes<float>;                // slots in a vector
inline constexpr long kTileColumns = kTileVectors * kWidth;  // of C

inline Vector<float> multiply_add(Vector<float> sum, float a, Vector<Word> b) {
  return sum + a * reinterpret_cast<Vector<float>>(b);
}
#if defined(__AVX512BF16__)
inline Vector<float> multiply_add(Vector<float> sum, Pair a, Vector<Word> b) {
  const Vector<Word> pair = Vector<Word>{} + std::bit_cast<Word>(a);
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(pair), "v"(b));
  return sum;
}
#endif

// C(r, ·) = start(r, ·) + Σ_s A(r, s) · B(s, ·), always in the order of s: however a product is cut into tiles and
// blocks, the bits are the same.
template <class S>
struct TileOfProduct {
  float* c;            // rows c_row apart
  const float* start;  // rows start_row apart (0: the same for all), or zeros
  const S* a;          // A(r, s) = a[r * a_row + s * a_step]
  const S* b;          // (steps, vectors * kWidth), steps b_step apart
  long c_row, start_row, a_row, a_step, b_step, steps;
};

template <int kRows, int kVectors, class S>
void multiply_tile(const TileOfProduct<S>& p) {
  Vector<float> acc[kRows][kVectors] = {};
  if (p.start) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[r][v] = load(p.start + r * p.start_row + v * kWidth);
  }
  const S *a = p.a, *b = p.b;
  const long a_row = p.a_row, a_step = p.a_step, b_step = p.b_step;
  for (long s = p.steps; s > 0; --s, a += a_step, b += b_step) {
    Vector<Word> row[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) row[v] = *reinterpret_cast<const Vector<Word>*>(b + v * kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const S value = a[r * a_row];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[r][v] = multiply_add(acc[r][v], value, row[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) store(p.c + r * p.c_row + v * kWidth, acc[r][v]);
}

template <int kRows, class S>
inline void multiply_tile_of_rows(const TileOfProduct<S>& p, long vectors) {
  static_assert(kTileVectors == 4 || kTileVectors == 2);
  if (vectors == 1) return multiply_tile<kRows, 1>(p);
  if (vectors == 2) return multiply_tile<kRows, 2>(p);
  if constexpr (kTileVectors == 4) {
    if (vectors == 3) return multiply_tile<kRows, 3>(p);
    return multiply_tile<kRows, 4>(p);
  }
}

// A tile of up to kTileRows x kTileColumns. One that ends within a vector is computed beside C: its last vector would
// reach into the next row.
template <class S>
void multiply_any_tile(const TileOfProduct<S>& p, long rows, long columns) {
  static_assert(kTileRows == 6);
  const long vectors = (columns + kWidth - 1) / kWidth;
  if (columns % kWidth != 0) {
    float edge[kTileRows * kTileColumns] = {};
    TileOfProduct<S> inside = p;
    inside.c = edge, inside.c_row = kTileColumns;
    if (p.start) {
      for (long r = 0; r < rows; ++r)
        for (long j = 0; j < columns; ++j) edge[r * kTileColumns + j] = p.start[r * p.start_row + j];
      inside.start = edge, inside.start_row = kTileColumns;
    }
    multiply_any_tile(inside, rows, vectors * kWidth);
    for (long r = 0; r < rows; ++r)
      for (long j = 0; j < columns; ++j) p.c[r * p.c_row + j] = edge[r * kTileColumns + j];
    return;
  }
  switch (rows) {
    case 1:
      return multiply_tile_of_rows<1>(p, vectors);
    case 2:
      return multiply_tile_of_rows<2>(p, vectors);
    case 3:
      return multiply_tile_of_rows<3>(p, vectors);
    case 4:
      return multiply_tile_of_rows<4>(p, vectors);
    case 5:
      return multiply_tile_of_rows<5>(p, vectors);
    default:
      return multiply_tile_of_rows<6>(p, vectors);
  }
}

}  // namespace kernels::KERNELS_ISA
