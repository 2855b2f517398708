// Brings the operands of a product into the order in which the register tile reads them, as slots
// (kernels/simd/register_tile.h).
#pragma once
#include <algorithm>
#include <utility>

#include "kernels/gemm/tile.h"

namespace kernels::KERNELS_ISA {

// bf16 in the lower half of words.
inline Vector<Word> halves(const float* from) { return bf16_bits(load(from)); }
inline Vector<Word> halves(const bf16* from) {
  return __builtin_convertvector(*reinterpret_cast<const Halves*>(from), Words);
}

// Lane i of the result is lane kScale · (i / kGroup) + kJump · (i % kGroup) + kFirst of a and b side by side.
template <long kFirst, long kScale, long kGroup, long kJump, class V, long... i>
inline V shuffle(V a, V b, std::integer_sequence<long, i...>) {
  return __builtin_shufflevector(a, b, (kFirst + i / kGroup * kScale + i % kGroup * kJump)...);
}
using Lanes = std::make_integer_sequence<long, kWidth>;

// The slots of kWidth neighbouring columns: `row` holds their first step, `next` the second where a slot has two.
template <class T, class From>
inline Vector<Word> slots_across(const From* row, const From* next) {
  if constexpr (std::is_same_v<T, float>)
    return reinterpret_cast<Vector<Word>>(load(row));
  else if constexpr (kDepth<T> == 1)
    return halves(row) << 16;
  else
    return halves(row) | halves(next) << 16;
}
// The same where only `count` columns exist, or no second step.
template <class T, class From>
inline Vector<Word> slots_across(const From* row, const From* next, long count) {
  constexpr bool kTwo = kDepth<T> == 2;
  if (count >= kWidth && (!kTwo || next)) return slots_across<T>(row, next);
  From edge[2][kWidth] = {};
  for (long i = 0; i < smaller(count, kWidth); ++i) {
    edge[0][i] = row[i];
    if (kTwo && next) edge[1][i] = next[i];
  }
  return slots_across<T>(edge[0], edge[1]);
}

// The slots of kWidth neighbouring steps of one column.
template <class T, class From>
inline Vector<Word> slots_along(const From* column) {
  if constexpr (kDepth<T> == 1) {
    return slots_across<T>(column, column);
  } else {
    const Vector<Word> low = halves(column), high = halves(column + kWidth);
    return shuffle<0, 2, 1, 0>(low, high, Lanes{}) | shuffle<1, 2, 1, 0>(low, high, Lanes{}) << 16;
  }
}
// The same where only `count` values are left.
template <class T, class From>
inline Vector<Word> slots_along(const From* column, long count) {
  constexpr long kValues = kDepth<T> * kWidth;
  if (count >= kValues) return slots_along<T>(column);
  From edge[kValues] = {};
  for (long i = 0; i < count; ++i) edge[i] = column[i];
  return slots_along<T>(edge);
}

// How columns are cut into panels: of kTileVectors vectors or less, and never of 4 + 4 + 1 where 3 + 3 + 3 would do.
struct Panels {
  long count, vectors, extra;  // the first `extra` panels have one vector more than `vectors`

  explicit Panels(long columns) {
    const long all = (columns + kWidth - 1) / kWidth;
    count = (all + kTileVectors - 1) / kTileVectors;
    vectors = all / count, extra = all % count;
  }
  long columns(long panel) const { return (vectors + (panel < extra)) * kWidth; }
};

// A part of B, or of the transposed A: `columns` columns, `depth` steps along k.
template <class From>
struct PartOf {
  const From* at;  // its first value; what follows along k (or, transposed, across) is row_size apart
  long row_size, depth, columns;
};

// One panel of kVectors vectors: (slots, kVectors * kWidth), zeros where there are no columns.
template <int kVectors, class T, class From>
inline void pack_panel(Slot<T>* out, const PartOf<From>& b) {
  long k = 0;
  if (b.columns >= kVectors * kWidth)
    for (; k + kDepth<T> <= b.depth; k += kDepth<T>, out += kVectors * kWidth) {
      const From *row = b.at + k * b.row_size, *next = row + (kDepth<T> - 1) * b.row_size;
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        store(reinterpret_cast<Word*>(out + v * kWidth), slots_across<T>(row + v * kWidth, next + v * kWidth));
    }
  for (; k < b.depth; k += kDepth<T>, out += kVectors * kWidth)
    for (long v = 0; v < kVectors; ++v) {
      const From* row = b.at + k * b.row_size + v * kWidth;
      store(reinterpret_cast<Word*>(out + v * kWidth),
            slots_across<T>(row, k + 1 < b.depth ? row + b.row_size : nullptr, b.columns - v * kWidth));
    }
}

// Panel after panel. Panels come first, steps second: one place at a time is written, and rows are fetched ahead.
template <class T, class From>
inline void pack_rows(Slot<T>* out, const PartOf<From>& b) {
  const Panels panels(b.columns);
  const long slots = (b.depth + kDepth<T> - 1) / kDepth<T>;
  PartOf<From> part = b;
  for (long i = 0; i < panels.count; ++i) {
    const long columns = panels.columns(i);
    if (columns == kWidth)
      pack_panel<1, T>(out, part);
    else if (columns == 2 * kWidth)
      pack_panel<2, T>(out, part);
    else if (columns == 3 * kWidth)
      pack_panel<3, T>(out, part);
    else
      pack_panel<4, T>(out, part);
    out += columns * slots, part.at += columns, part.columns -= columns;
  }
}
// kWidth columns and as many slots: without conditions, so that the block stays in registers.
template <class T, class From>
inline void pack_block(Slot<T>* out, long out_row, const From* at, long row_size) {
  alignas(kVectorBytes) Vector<Word> block[kWidth];
#pragma GCC unroll 16
  for (long c = 0; c < kWidth; ++c) block[c] = slots_along<T>(at + c * row_size);
  transpose<Word>(block);
#pragma GCC unroll 16
  for (long r = 0; r < kWidth; ++r) store(reinterpret_cast<Word*>(out + r * out_row), block[r]);
}
// The same where fewer columns, or values along k, exist.
template <class T, class From>
inline void pack_block(Slot<T>* out, long out_row, const From* at, long row_size, long columns, long depth) {
  alignas(kVectorBytes) Vector<Word> block[kWidth] = {};
  for (long c = 0; c < smaller(kWidth, columns); ++c) block[c] = slots_along<T>(at + c * row_size, depth);
  transpose<Word>(block);
  const long slots = (depth + kDepth<T> - 1) / kDepth<T>;
  for (long r = 0; r < smaller(kWidth, slots); ++r) store(reinterpret_cast<Word*>(out + r * out_row), block[r]);
}
template <class T, class From>
inline void pack_transposed(Slot<T>* out, const PartOf<From>& b) {
  constexpr long kBlock = kDepth<T> * kWidth;  // values along k
  const Panels panels(b.columns);
  const long slots = (b.depth + kDepth<T> - 1) / kDepth<T>;
  long j = 0;
  for (long i = 0; i < panels.count; ++i) {
    const long columns = panels.columns(i);
    for (long v = 0; v < columns; v += kWidth, j += kWidth) {
      const From* at = b.at + j * b.row_size;
      Slot<T>* to = out + v;
      const long left = b.columns - j;
      long k = 0;
      if (left >= kWidth)
        for (; k + kBlock <= b.depth; k += kBlock, to += kWidth * columns)
          pack_block<T>(to, columns, at + k, b.row_size);
      for (; k < b.depth; k += kBlock, to += kWidth * columns)
        pack_block<T>(to, columns, at + k, b.row_size, left, b.depth - k);
    }
    out += columns * slots;
  }
}

// One row of A, `depth` values along k.
template <class T, class From>
inline void pack_line(Slot<T>* out, const From* row, long depth) {
  if constexpr (kDepth<T> == 1)
    for (long k = 0; k < depth; ++k) out[k] = static_cast<float>(row[k]);
  else
    for (long k = 0; k < depth; k += 2) {
      const std::uint16_t second = k + 1 < depth ? row[k + 1].bits : 0;
      out[k / 2] = {row[k].bits, second};
    }
}

// sum[j] += Σ_k a(k, j), in the order of k
template <class From>
inline void add_rows(float* sum, const PartOf<From>& a) {
  constexpr int kVectors = 4;
  for (long j = 0; j < a.columns; j += kVectors * kWidth) {
    const long count = smaller(kVectors * kWidth, a.columns - j);
    float edge[kVectors * kWidth] = {};
    std::copy_n(sum + j, count, edge);
    Vector<float> acc[kVectors];
    for (int v = 0; v < kVectors; ++v) acc[v] = load(edge + v * kWidth);
    for (long k = 0; k < a.depth; ++k) {
      const From* row = a.at + k * a.row_size + j;
      if (count == kVectors * kWidth)
        for (int v = 0; v < kVectors; ++v) acc[v] += load_as<float>(row + v * kWidth);
      else
        for (int v = 0; v < kVectors && v * kWidth < count; ++v)
          acc[v] += count >= (v + 1) * kWidth ? load_as<float>(row + v * kWidth)
                                              : load_as<float>(row + v * kWidth, count - v * kWidth);
    }
    for (int v = 0; v < kVectors; ++v) store(edge + v * kWidth, acc[v]);
    std::copy_n(edge, count, sum + j);
  }
}

}  // namespace kernels::KERNELS_ISA
