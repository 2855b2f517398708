// C = start + A·B: cut into parts, one for each thread, and those into blocks whose operands stay in the caches.
// Threads never wait for each other, and no cut changes the order in which an element of C is summed.
#pragma once
#include <omp.h>

#include "kernels/gemm/pack.h"
#include "kernels/simd/prefetch.h"

namespace kernels::KERNELS_ISA {

// Sizes in slots. Packed B takes most of a second-level cache of 1 MB (AVX-512) or 256 KB.
#if defined(__AVX512F__)
inline constexpr long kPackedB = 180'000;
#else
inline constexpr long kPackedB = 48'000;
#endif
// The next block's B is fetched meanwhile where A is transposed, and needs room as well.
inline constexpr long kPackedBFetchingAhead = kPackedB * 2 / 3;
inline constexpr long kMostSlots = 768, kMostSlotsTransposed = 256;  // along k in a block
inline constexpr long kPackedRows = 8 * kTileRows;                   // of A, packed at a time
inline constexpr long kPackedA = kPackedRows * 512;
inline constexpr long kScratchRows = kPackedRows, kMostColumns = 1024;  // of C, in scratch; columns of any block
// Along k where all must be in one block.
inline constexpr long kMostSlotsWithoutC = smaller(kPackedB / kTileColumns, kPackedA / kTileRows);
// Up to this many rows, B is not worth packing if its whole rows stay in the cache as they are.
inline constexpr long kRowsWorthPacking = 1024;
// From this many rows on, each tile has few lines of the next B to fetch.
inline constexpr long kRowsWorthFetchingAhead = 128;

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
// The size of the parts of n when it is cut evenly into as few as possible of at most `most`.
inline long even_part(long n, long most) { return divide_up(n, greater(1L, divide_up(n, most))); }

// Parts lie in a grid. Of all its proportions the one that leaves the busiest thread the least work; packing a value
// takes as long as about 8 multiply-adds.
struct PartGrid {
  long down = 1, across = 1;
};
inline PartGrid choose_part_grid(long m, long n, bool packs_a, long parts) {
  PartGrid best;
  double least = 0;
  for (long down = 1; down <= parts; ++down) {
    if (parts % down != 0) continue;
    const long across = parts / down;
    const auto rows = static_cast<double>(round_up(divide_up(m, down), kTileRows));
    const auto columns = static_cast<double>(round_up(divide_up(n, across), kWidth));
    const double work = rows * columns + 8 * (columns + (packs_a ? rows : 0));
    if (down == 1 || work < least) least = work, best = {down, across};
  }
  return best;
}
inline Part part_of(long m, long n, const PartGrid& grid, long i) {
  const long strips = divide_up(m, kTileRows), vectors = divide_up(n, kWidth);
  const auto row = [&](long y) { return smaller(m, strips * y / grid.down * kTileRows); };
  const auto column = [&](long x) { return smaller(n, vectors * x / grid.across * kWidth); };
  const long y = i / grid.across, x = i % grid.across;
  return {.row = row(y), .rows = row(y + 1) - row(y), .column = column(x), .columns = column(x + 1) - column(x)};
}

// What one thread does. finish(part, c, c_row) is called for every part of C when it is done and still in the cache.
template <class T, class A, class B, class Finish>
struct Worker {
  const Product<A, B>& p;
  const Part part;
  const Finish& finish;
  Slot<T>*packed_a, *packed_b;  // (kPackedA), (kPackedB)
  float* scratch;               // (kScratchRows, kMostColumns)

  // Every value of B is used once: packing more of it than one panel at a time would only fill the cache.
  bool few_rows() const { return part.rows <= kTileRows; }
  static long slots_of(long steps) { return divide_up(steps, kDepth<T>); }

  struct Block {
    Part part;
    float* c;
    long c_row, c_strip;  // strides of C from row to row and from strip to strip
    long k, depth;        // along k; 0 where there is no next block
    long next_k, next_depth;
    const Slot<T>* b;
    bool packed_b;
  };

  void multiply() const {
    // Blocks of k are even. Without C there is nowhere to keep sums from one to the next except scratch: then k is one
    // block if a single panel of B fits, or else few rows are finished at a time.
    const long most = !p.c ? kMostSlotsWithoutC : p.transposed_a ? kMostSlotsTransposed : kMostSlots;
    const long slots = greater(1L, even_part(slots_of(p.k), most)), depth = slots * kDepth<T>;
    const long blocks = greater(1L, divide_up(p.k, depth));
    const long room = few_rows() ? slots * kTileColumns : p.transposed_a ? kPackedBFetchingAhead : kPackedB;
    const long columns =
        round_up(even_part(part.columns, smaller(kMostColumns, room / slots / kTileColumns * kTileColumns)), kWidth);
    const bool in_scratch = !p.c && blocks > 1;
    const long rows = in_scratch ? kScratchRows : part.rows;
    for (long i = 0; i < part.rows; i += rows)
      for (long j = 0; j < part.columns; j += columns)
        for (long s = 0; s < blocks; ++s) {
          const Part here{.row = part.row + i,
                          .rows = smaller(rows, part.rows - i),
                          .column = part.column + j,
                          .columns = smaller(columns, part.columns - j)};
          const long k = s * depth, next_k = k + depth;
          Block block{.part = here,
                      .c = p.c ? p.c + here.row * p.n + here.column : scratch,
                      .c_row = p.c ? p.n : here.columns,
                      .c_strip = p.c          ? kTileRows * p.n
                                 : in_scratch ? kTileRows * here.columns
                                              : 0,
                      .k = k,
                      .depth = smaller(depth, p.k - k),
                      .next_k = next_k,
                      .next_depth = greater(0L, smaller(depth, p.k - next_k)),
                      .b = nullptr,
                      .packed_b = true};
          bring_b(block);
          multiply_block(block);
        }
  }

  PartOf<B> part_of_b(const Part& at, long k, long depth) const {
    return {.at = p.b + (p.transposed_b ? at.column * p.k + k : k * p.n + at.column),
            .row_size = p.transposed_b ? p.k : p.n,
            .depth = depth,
            .columns = at.columns};
  }
  PartOf<A> part_of_transposed_a(long row, long rows, long k, long depth) const {
    return {.at = p.a + k * p.m + row, .row_size = p.m, .depth = depth, .columns = rows};
  }

  void bring_b(Block& block) const {
    const PartOf<B> b = part_of_b(block.part, block.k, block.depth);
    if constexpr (std::is_same_v<Slot<T>, B> && std::is_same_v<T, B>)
      if (!p.transposed_b && p.n % kWidth == 0 &&
          (few_rows() || (p.n * b.depth <= kPackedB && part.rows <= kRowsWorthPacking))) {
        block.b = b.at, block.packed_b = false;
        return;
      }
    block.b = packed_b;
    if (p.transposed_b)
      pack_transposed<T>(packed_b, b);
    else
      pack_rows<T>(packed_b, b);
  }

  // Rows of A in slots as strips: where they are if the tile can read them there, else in packed_a.
  struct Strips {
    const Slot<T>* at;
    long row, step, strip;  // strides
    bool packed;
  };
  Strips bring_a(long row, long rows, long k, long depth) const {
    const long slots = slots_of(depth);
    if (p.transposed_a) {
      const PartOf<A> a = part_of_transposed_a(row, rows, k, depth);
      if constexpr (std::is_same_v<Slot<T>, A>)
        if (p.m * depth <= kPackedB / 2) return {a.at, 1, p.m, kTileRows, false};
      pack_panel<kPackedRows / kWidth, T>(packed_a, a);
      return {packed_a, 1, kPackedRows, kTileRows, true};
    }
    const A* a = p.a + row * p.k + k;
    if constexpr (sizeof(Slot<T>) == kDepth<T> * sizeof(A))
      if (p.k % kDepth<T> == 0)
        return {reinterpret_cast<const Slot<T>*>(a), p.k / kDepth<T>, 1, kTileRows * p.k / kDepth<T>, false};
    for (long r = 0; r < rows; ++r) pack_line<T>(packed_a + r * slots, a + r * p.k, depth);
    return {packed_a, slots, 1, kTileRows * slots, true};
  }

  template <class From>
  static PrefetchLines lines_of(const PartOf<From>& part) {
    return {part.at, part.row_size, part.columns, part.depth};
  }

  void multiply_block(const Block& block) const {
    const long rows = block.part.rows, slots = slots_of(block.depth);
    const long group = smaller(kPackedRows, kPackedA / greater(1L, slots) / kTileRows * kTileRows);
    const long panels = Panels(block.part.columns).count;
    const bool ahead = p.transposed_a && !p.transposed_b && rows >= kRowsWorthFetchingAhead;
    PrefetchLines next_b;
    if (ahead) next_b = lines_of(part_of_b(block.part, block.next_k, block.next_depth));
    const long b_lines = divide_up(next_b.lines(), divide_up(rows, kTileRows) * panels);
    for (long i = 0; i < rows; i += group) {
      const long row = block.part.row + i, count = smaller(group, rows - i);
      const Strips strips = bring_a(row, count, block.k, block.depth);
      if (p.a_sum && block.part.column == 0) {
        if (block.k == 0 && !p.accumulate_sum) std::fill_n(p.a_sum + row, count, 0.F);
        add_rows(p.a_sum + row, part_of_transposed_a(row, count, block.k, block.depth));
      }
      PrefetchLines next_a;
      if (ahead)
        next_a =
            lines_of(i + group < rows
                         ? part_of_transposed_a(row + group, smaller(group, rows - i - group), block.k, block.depth)
                         : part_of_transposed_a(block.part.row, smaller(group, rows), block.next_k, block.next_depth));
      const long a_lines = divide_up(next_a.lines(), divide_up(count, kTileRows) * panels);
      for (long r = 0; r < count; r += kTileRows)
        multiply_strip(block, strips, i, r, smaller(kTileRows, count - r),
                       [&] { next_b.issue(b_lines), next_a.issue(a_lines); });
    }
  }

  // Rows group + [r, r + rows) of the block. fetch() is called before every tile.
  template <class Fetch>
  void multiply_strip(const Block& block, const Strips& strips, long group, long r, long rows, Fetch fetch) const {
    const long row = block.part.row + group + r, column = block.part.column, columns = block.part.columns;
    const bool first = block.k == 0, last = block.next_depth == 0;
    float* c = block.c + (group + r) / kTileRows * block.c_strip;
    TileOfProduct<Slot<T>> tile{.c = c,
                                .start = !first    ? c
                                         : p.start ? p.start + row * p.start_row + column
                                                   : nullptr,
                                .a = strips.at + r / kTileRows * strips.strip,
                                .b = block.b,
                                .c_row = block.c_row,
                                .start_row = first ? p.start_row : block.c_row,
                                .a_row = strips.row,
                                .a_step = strips.step,
                                .b_step = p.n,
                                .steps = slots_of(block.depth)};
    const Panels panels(columns);
    long j = 0;
    for (long panel = 0; panel < panels.count; ++panel) {
      const long width = panels.columns(panel);
      fetch();
      if (j + width < columns)
        prefetch_tile(tile.c + width, block.c_row, rows);
      else if (group + r + kTileRows < block.part.rows)
        prefetch_tile(c + block.c_strip, block.c_row, kTileRows);
      if (block.packed_b) tile.b_step = width;
      multiply_any_tile(tile, rows, smaller(width, columns - j));
      j += width, tile.c += width, tile.b += block.packed_b ? width * tile.steps : width;
      if (tile.start) tile.start += width;
    }
    if (last) finish(Part{row, rows, column, columns}, c, block.c_row);
  }
  static void prefetch_tile(const float* c, long c_row, long rows) {
    for (long r = 0; r < rows; ++r)
      for (long j = 0; j < kTileColumns; j += 16) __builtin_prefetch(c + r * c_row + j, 1);
  }
};

template <class T, class A, class B, class Finish>
void multiply(const Product<A, B>& p, const Finish& finish) {
  if (p.m == 0 || p.n == 0) return;
  const long work = p.m * p.n * p.k / 16;
  const bool alone = work < 20000 || omp_in_parallel();
  const PartGrid grid = choose_part_grid(p.m, p.n, p.transposed_a, alone ? 1 : omp_get_max_threads());
  const long parts = grid.down * grid.across;
  parallel_for(parts, work / parts, [&](long i) {
    const Part part = part_of(p.m, p.n, grid, i);
    if (part.rows == 0 || part.columns == 0) return;
    alignas(64) Slot<T> packed_a[kPackedA], packed_b[kPackedB];
    alignas(64) float scratch[kScratchRows * kMostColumns];
    Worker<T, A, B, Finish>{p, part, finish, packed_a, packed_b, scratch}.multiply();
  });
}

}  // namespace kernels::KERNELS_ISA
