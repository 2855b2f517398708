// What is multiplied, and how a thread has it in the layout that tiles read.
#pragma once
#include "kernels/gemm/pack.h"

namespace kernels::KERNELS_ISA {

// Sizes in slots. Packed B takes most of a second-level cache of 1 MB (AVX-512) or 256 KB.
#if defined(__AVX512F__)
inline constexpr long kPackedB = 180'000;
#else
inline constexpr long kPackedB = 48'000;
#endif
inline constexpr long kPackedRows = 8 * kTileRows;  // of A, packed at a time
inline constexpr long kPackedA = kPackedRows * 512;
// Up to this many rows, B is not worth packing if its whole rows stay in the cache as they are.
inline constexpr long kRowsWorthPacking = 1024;

template <class A, class B>
struct Product {
  float* c;            // (m, n) out, or null: only `finish` wants to see it
  const float* start;  // rows start_row apart (0 for a bias, n for C itself), or zeros
  long start_row;
  const A* a;  // (m, k), or (k, m) if transposed
  const B* b;  // (k, n), or (n, k)
  bool transposed_a, transposed_b;
  long m, n, k;
  float* a_sum = nullptr;  // (m): Σ_k A(·, k), or not wanted; only for transposed A
  bool accumulate_sum = false;
};

struct Part {
  long row, rows, column, columns;  // of C
};

inline long divide_up(long n, long by) { return (n + by - 1) / by; }
inline long round_up(long n, long to) { return divide_up(n, to) * to; }

// Where one thread has what its tiles read: A and B as they are where tiles can read them there, else packed.
template <class T, class A, class B>
struct Operands {
  const Product<A, B>& p;
  Slot<T>*packed_a, *packed_b;  // (kPackedA), (kPackedB)

  static long slots_of(long steps) { return divide_up(steps, kDepth<T>); }
  // Every value of B is used once: packing more of it than one panel at a time would only fill the cache.
  static bool few(long rows) { return rows <= kTileRows; }

  PartOf<B> part_of_b(const Part& at, long k, long depth) const {
    return {.at = p.b + (p.transposed_b ? at.column * p.k + k : k * p.n + at.column),
            .row_size = p.transposed_b ? p.k : p.n,
            .depth = depth,
            .columns = at.columns};
  }
  PartOf<A> part_of_transposed_a(long row, long rows, long k, long depth) const {
    return {.at = p.a + k * p.m + row, .row_size = p.m, .depth = depth, .columns = rows};
  }

  // B of one block, for all `rows` of the thread's part.
  struct Panel {
    const Slot<T>* at;
    bool packed;
  };
  Panel bring_b(const Part& part, long rows, long k, long depth) const {
    const PartOf<B> b = part_of_b(part, k, depth);
    if constexpr (std::is_same_v<Slot<T>, B> && std::is_same_v<T, B>)
      if (!p.transposed_b && p.n % kWidth == 0 && (few(rows) || (p.n * depth <= kPackedB && rows <= kRowsWorthPacking)))
        return {b.at, false};
    if (p.transposed_b)
      pack_transposed<T>(packed_b, b);
    else
      pack_rows<T>(packed_b, b);
    return {packed_b, true};
  }

  // Rows of A in slots as strips.
  struct Strips {
    const Slot<T>* at;
    long row, step, strip;  // strides
  };
  Strips bring_a(long row, long rows, long k, long depth) const {
    const long slots = slots_of(depth);
    if (p.transposed_a) {
      const PartOf<A> a = part_of_transposed_a(row, rows, k, depth);
      if constexpr (std::is_same_v<Slot<T>, A>)
        if (p.m * depth <= kPackedB / 2) return {a.at, 1, p.m, kTileRows};
      pack_panel<kPackedRows / kWidth, T>(packed_a, a);
      return {packed_a, 1, kPackedRows, kTileRows};
    }
    const A* a = p.a + row * p.k + k;
    if constexpr (sizeof(Slot<T>) == kDepth<T> * sizeof(A))
      if (p.k % kDepth<T> == 0)
        return {reinterpret_cast<const Slot<T>*>(a), p.k / kDepth<T>, 1, kTileRows * p.k / kDepth<T>};
    for (long r = 0; r < rows; ++r) pack_line<T>(packed_a + r * slots, a + r * p.k, depth);
    return {packed_a, slots, 1, kTileRows * slots};
  }
};

}  // namespace kernels::KERNELS_ISA
