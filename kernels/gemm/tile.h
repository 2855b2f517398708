// Tiles of a matrix product: where the register tile's operands lie in memory, and what to do at the edges of C.
#pragma once
#include "kernels/simd/register_tile.h"

namespace kernels::KERNELS_ISA {

inline constexpr long kWidth = kLanes<float>;                // slots in a vector
inline constexpr long kTileColumns = kTileVectors * kWidth;  // of C

// C(r, ·) = start(r, ·) + Σ_s A(r, s) · B(s, ·)
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
  float* const c = p.c;  // a copy: what is stored there cannot change it
  const long c_row = p.c_row;
  register_tile<S, kRows, kVectors>(
      p.steps, [&](int r, long s) { return p.a[r * p.a_row + s * p.a_step]; },
      [&](long s) { return p.b + s * p.b_step; },
      [&](int r, int v) { return p.start ? load(p.start + r * p.start_row + v * kWidth) : Vector<float>{}; },
      [=](int r, int v, Vector<float> x) { store(c + r * c_row + v * kWidth, x); });
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
