// C = start + A·B: cut into parts, one for each thread, and those into blocks whose operands stay in the caches.
// Threads never wait for each other, and no cut changes the order in which an element of C is summed.
#pragma once
#include <omp.h>

#include "kernels/gemm/operands.h"
#include "kernels/simd/prefetch.h"

namespace kernels::KERNELS_ISA {

// Sizes in slots (operands.h). The next block's B is fetched meanwhile where A is transposed, and needs room as well.
inline constexpr long kPackedBFetchingAhead = kPackedB * 2 / 3;
inline constexpr long kMostSlots = 768, kMostSlotsTransposed = 256;     // along k in a block
inline constexpr long kScratchRows = kPackedRows, kMostColumns = 1024;  // of C, in scratch; columns of any block
// Along k where all must be in one block.
inline constexpr long kMostSlotsWithoutC = smaller(kPackedB / kTileColumns, kPackedA / kTileRows);
// From this many rows on, each tile has few lines of the next B to fetch.
inline constexpr long kRowsWorthFetchingAhead = 128;

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

// A part of C, and the steps along k that are now added to it.
template <class T>
struct Block {
  Part part;
  float* c;
  long c_row, c_strip;         // strides of C from row to row and from strip to strip
  long k, depth;               // along k
  long next_k, next_depth;     // of the next block; depth 0 where there is none
  const Slot<T>* b = nullptr;  // what Operands::bring_b gave
  bool packed_b = true;
};

inline void prefetch_tile(const float* c, long c_row, long rows) {
  for (long r = 0; r < rows; ++r)
    for (long j = 0; j < kTileColumns; j += 16) __builtin_prefetch(c + r * c_row + j, 1);
}

// Rows [r, r + rows) of the block, at most kTileRows, whose slots of A begin at `a`. fetch() is called before every
// tile. Returns where C of these rows is.
template <class T, class Strips, class P, class Fetch>
float* multiply_strip(const P& p, const Block<T>& block, const Strips& strips, const Slot<T>* a, long r, long rows,
                      Fetch fetch) {
  const long row = block.part.row + r, columns = block.part.columns;
  const bool first = block.k == 0;
  float* const c = block.c + r / kTileRows * block.c_strip;
  const float* const start = p.start ? p.start + row * p.start_row + block.part.column : nullptr;
  TileOfProduct<Slot<T>> tile{.c = c,
                              .start = first ? start : c,
                              .a = a,
                              .b = block.b,
                              .c_row = block.c_row,
                              .start_row = first ? p.start_row : block.c_row,
                              .a_row = strips.row,
                              .a_step = strips.step,
                              .b_step = p.n,
                              .steps = divide_up(block.depth, kDepth<T>)};
  const Panels panels(columns);
  long j = 0;
  for (long panel = 0; panel < panels.count; ++panel) {
    const long width = panels.columns(panel);
    fetch();
    if (j + width < columns)
      prefetch_tile(tile.c + width, block.c_row, rows);
    else if (r + kTileRows < block.part.rows)
      prefetch_tile(c + block.c_strip, block.c_row, kTileRows);
    if (block.packed_b) tile.b_step = width;
    multiply_any_tile(tile, rows, smaller(width, columns - j));
    j += width, tile.c += width, tile.b += block.packed_b ? width * tile.steps : width;
    if (tile.start) tile.start += width;
  }
  return c;
}

// What one thread does. finish(part, c, c_row) is called for every part of C when it is done and still in the cache.
template <class T, class A, class B, class Finish>
struct Worker {
  using Own = Operands<T, A, B>;
  const Own operands;
  const Part part;
  const Finish& finish;
  float* scratch;  // (kScratchRows, kMostColumns)

  void multiply() const {
    const Product<A, B>& p = operands.p;
    // Blocks of k are even. Without C there is nowhere to keep sums from one to the next except scratch: then k is one
    // block if a single panel of B fits, or else few rows are finished at a time.
    const long most = !p.c ? kMostSlotsWithoutC : p.transposed_a ? kMostSlotsTransposed : kMostSlots;
    const long slots = greater(1L, even_part(Own::slots_of(p.k), most)), depth = slots * kDepth<T>;
    const long blocks = greater(1L, divide_up(p.k, depth));
    const long room = Own::few(part.rows) ? slots * kTileColumns : p.transposed_a ? kPackedBFetchingAhead : kPackedB;
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
          Block<T> block{.part = here,
                         .c = p.c ? p.c + here.row * p.n + here.column : scratch,
                         .c_row = p.c ? p.n : here.columns,
                         .c_strip = p.c          ? kTileRows * p.n
                                    : in_scratch ? kTileRows * here.columns
                                                 : 0,
                         .k = k,
                         .depth = smaller(depth, p.k - k),
                         .next_k = next_k,
                         .next_depth = greater(0L, smaller(depth, p.k - next_k))};
          const auto b = operands.bring_b(here, part.rows, k, block.depth);
          block.b = b.at, block.packed_b = b.packed;
          multiply_block(block);
        }
  }

  template <class From>
  static PrefetchLines lines_of(const PartOf<From>& of) {
    return {of.at, of.row_size, of.columns, of.depth};
  }

  void multiply_block(const Block<T>& block) const {
    const Product<A, B>& p = operands.p;
    const long rows = block.part.rows, slots = Own::slots_of(block.depth);
    const long group = smaller(kPackedRows, kPackedA / greater(1L, slots) / kTileRows * kTileRows);
    const long panels = Panels(block.part.columns).count;
    const bool ahead = p.transposed_a && !p.transposed_b && rows >= kRowsWorthFetchingAhead;
    const auto a_at = [&](long row, long count, long k, long depth) {
      return operands.part_of_transposed_a(row, count, k, depth);
    };
    PrefetchLines next_b;
    if (ahead) next_b = lines_of(operands.part_of_b(block.part, block.next_k, block.next_depth));
    const long b_lines = divide_up(next_b.lines(), divide_up(rows, kTileRows) * panels);
    for (long i = 0; i < rows; i += group) {
      const long row = block.part.row + i, count = smaller(group, rows - i);
      const auto strips = operands.bring_a(row, count, block.k, block.depth);
      if (p.a_sum && block.part.column == 0) {
        if (block.k == 0 && !p.accumulate_sum) std::fill_n(p.a_sum + row, count, 0.F);
        add_rows(p.a_sum + row, a_at(row, count, block.k, block.depth));
      }
      PrefetchLines next_a;
      if (ahead)
        next_a =
            lines_of(i + group < rows ? a_at(row + group, smaller(group, rows - i - group), block.k, block.depth)
                                      : a_at(block.part.row, smaller(group, rows), block.next_k, block.next_depth));
      const long a_lines = divide_up(next_a.lines(), divide_up(count, kTileRows) * panels);
      for (long r = 0; r < count; r += kTileRows) {
        const long strip = smaller(kTileRows, count - r);
        const Slot<T>* const a = strips.at + r / kTileRows * strips.strip;
        const float* const c =
            multiply_strip(p, block, strips, a, i + r, strip, [&] { next_b.issue(b_lines), next_a.issue(a_lines); });
        if (block.next_depth == 0) finish(Part{row + r, strip, block.part.column, block.part.columns}, c, block.c_row);
      }
    }
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
    Worker<T, A, B, Finish>{{p, packed_a, packed_b}, part, finish, scratch}.multiply();
  });
}

}  // namespace kernels::KERNELS_ISA
