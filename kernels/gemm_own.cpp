// Matrix products out of register tiles (kernels/gemm_tile.h). B is packed in panels that stay in the second-level
// cache, strips of six rows of A stay in the first and are read where they are, and each thread has a part of C to
// itself, so that none ever waits for another.
#include "kernels/gemm_own.h"

#include <omp.h>

#include "kernels/gemm_pack.h"
#include "kernels/vector_math.h"

namespace kernels {
namespace KERNELS_ISA {
namespace {

// Slots; the scratch is for C where it is not wanted as f32.
#if defined(__AVX512F__)
constexpr long kPackedB = 150'000;  // 600 KB of a second-level cache of at least 1 MB
#else
constexpr long kPackedB = 48'000;
#endif
constexpr long kMostColumns = 1024, kMostSteps = 512, kPackedA = kPackedRows * kMostSteps, kScratchRows = kPackedRows;

long round_up(long n, long to) { return (n + to - 1) / to * to; }
// The size of the parts of n when it is cut evenly into as few as possible of at most `most`.
long even_part(long n, long most) {
  const long parts = std::max(1L, (n + most - 1) / most);
  return (n + parts - 1) / parts;
}

// C = start + A·B
template <class A, class B>
struct Product {
  float* c;            // (m, n) out, or null: only `finish` wants to see it
  const float* start;  // rows start_row apart: 0 for a bias, n for C itself; or zeros
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

// Cuts C into one part for each thread, as a grid of those proportions that leave the busiest thread the least work.
// A multiply-add is the unit; packing a value takes as long as about 8 of them.
struct Split {
  long down, across;
};
Split choose_split(long m, long n, bool pack_a, long parts) {
  Split best{1, 1};
  double least = 0;
  for (long down = 1; down <= parts; ++down) {
    if (parts % down != 0) continue;
    const long across = parts / down;
    const double rows = round_up((m + down - 1) / down, kTileRows),
                 columns = round_up((n + across - 1) / across, kWidth);
    const double work = rows * columns + 8 * (columns + (pack_a ? rows : 0));
    if (least == 0 || work < least) least = work, best = {down, across};
  }
  return best;
}
Part part_of(long m, long n, const Split& split, long i) {
  const long strips = (m + kTileRows - 1) / kTileRows, vectors = (n + kWidth - 1) / kWidth;
  const long y = i / split.across, x = i % split.across;
  const long row = std::min(m, strips * y / split.down * kTileRows),
             column = std::min(n, vectors * x / split.across * kWidth);
  return {.row = row,
          .rows = std::min(m, strips * (y + 1) / split.down * kTileRows) - row,
          .column = column,
          .columns = std::min(n, vectors * (x + 1) / split.across * kWidth) - column};
}

// Adds the columns of `a` to `sum`, a few rows at a time so that `sum` is not loaded and stored for each.
template <class From>
void add_columns(float* sum, const PartOf<From>& a) {
  for (long k = 0; k < a.depth; ++k) {
    const From* row = a.at + k * a.row_size;
    for (long j = 0; j < a.columns; ++j) sum[j] += widened(row[j]);
  }
}

// Rows of A in slots, as strips: where they are if that is how the tile wants them, else in `packed`.
template <class S>
struct Strips {
  const S* at;
  long row, step, strip;  // strides
};
template <class T, class A>
constexpr bool reads_in_place(bool transposed, long row_size) {
  return !transposed && sizeof(Slot<T>) == kDepth<T> * sizeof(A) && row_size % kDepth<T> == 0;
}
template <class T, class A, class B>
Strips<Slot<T>> strips_of(const Product<A, B>& p, long row, long rows, long k, long depth, Slot<T>* packed) {
  const long slots = (depth + kDepth<T> - 1) / kDepth<T>;
  if (p.transposed_a) {
    pack_strips<T>(packed, PartOf<A>{.at = p.a + k * p.m + row, .row_size = p.m, .depth = depth, .columns = rows});
    return {packed, 1, kTileRows, kTileRows * slots};
  }
  const A* a = p.a + row * p.k + k;
  if (reads_in_place<T, A>(false, p.k))
    return {reinterpret_cast<const Slot<T>*>(a), p.k / kDepth<T>, 1, kTileRows * p.k / kDepth<T>};
  for (long r = 0; r < rows; ++r) pack_line<T>(packed + r * slots, a + r * p.k, depth);
  return {packed, slots, 1, kTileRows * slots};
}

struct Block {
  Part part;
  long k, depth;      // steps
  bool first, last;   // of the steps
  bool first_column;  // of C: here the sums over A are taken
};

// One block of C and of k, with B packed. Scratch for C is `scratch_strip` apart from strip to strip.
template <class T, class A, class B, class Finish>
void multiply_block(const Product<A, B>& p, const Block& block, const Slot<T>* packed_b, Slot<T>* packed_a,
                    float* scratch, long scratch_strip, Finish finish) {
  const auto& [row0, rows, column, columns] = block.part;
  const Panels panels(columns);
  const long slots = (block.depth + kDepth<T> - 1) / kDepth<T>;
  const long fit = slots > 0 ? std::min(kPackedRows, kPackedA / slots / kTileRows * kTileRows) : kPackedRows;
  const long group = reads_in_place<T, A>(p.transposed_a, p.k) ? rows : fit;
  for (long g = 0; g < rows; g += group) {
    const long group_rows = std::min(group, rows - g);
    const Strips<Slot<T>> strips = strips_of<T>(p, row0 + g, group_rows, block.k, block.depth, packed_a);
    if (p.a_sum && block.first_column) {
      float* sum = p.a_sum + row0 + g;
      if (block.first && !p.accumulate_sum) std::fill_n(sum, group_rows, 0.F);
      add_columns(
          sum, PartOf<A>{
                   .at = p.a + block.k * p.m + row0 + g, .row_size = p.m, .depth = block.depth, .columns = group_rows});
    }
    for (long i = 0; i < group_rows; i += kTileRows) {
      const long row = row0 + g + i, strip_rows = std::min<long>(kTileRows, group_rows - i);
      float* c = p.c ? p.c + row * p.n + column : scratch + (g + i) / kTileRows * scratch_strip;
      const long c_row = p.c ? p.n : columns;
      const float* start = !block.first ? c : p.start ? p.start + row * p.start_row + column : nullptr;
      TileOfProduct<Slot<T>> tile{.c = c,
                                  .start = start,
                                  .a = strips.at + i / kTileRows * strips.strip,
                                  .b = packed_b,
                                  .c_row = c_row,
                                  .start_row = block.first ? p.start_row : c_row,
                                  .a_row = strips.row,
                                  .a_step = strips.step,
                                  .steps = slots};
      long j = 0;
      for (long panel = 0; panel < panels.count; ++panel) {
        const long width = panels.columns(panel);
        multiply_any_tile(tile, strip_rows, std::min(width, columns - j));
        j += width, tile.c += width, tile.b += width * slots;
        if (tile.start) tile.start += width;
      }
      if (block.last) finish(Part{row, strip_rows, column, columns}, c, c_row);
    }
  }
}

template <class T, class A, class B, class Finish>
void multiply_part(const Product<A, B>& p, const Part& part, Finish finish) {
  alignas(64) Slot<T> packed_b[kPackedB], packed_a[kPackedA];
  alignas(64) float scratch[kScratchRows * kMostColumns];
  // Steps are cut into blocks so that panels of B fit, evenly. Without C there is nowhere to keep sums in between
  // except scratch: then all steps are one block if a single panel fits, or else few rows are finished at a time.
  const long all = (p.k + kDepth<T> - 1) / kDepth<T>, most = p.c ? kMostSteps : kPackedB / kTileColumns;
  const long slots = std::max(1L, even_part(all, most)), blocks = std::max(1L, (all + slots - 1) / slots);
  const long columns =
      round_up(even_part(part.columns, std::min(kMostColumns, kPackedB / slots / kTileColumns * kTileColumns)), kWidth);
  const bool few_rows = !p.c && blocks > 1;
  const long rows = few_rows ? kScratchRows : part.rows;
  for (long i = 0; i < part.rows; i += rows)
    for (long j = 0; j < part.columns; j += columns)
      for (long s = 0; s < blocks; ++s) {
        const long k = s * slots * kDepth<T>;
        const Block block{.part = {.row = part.row + i,
                                   .rows = std::min(rows, part.rows - i),
                                   .column = part.column + j,
                                   .columns = std::min(columns, part.columns - j)},
                          .k = k,
                          .depth = std::min(slots * kDepth<T>, p.k - k),
                          .first = s == 0,
                          .last = s == blocks - 1,
                          .first_column = part.column + j == 0};
        PartOf<B> b{.at = p.b, .row_size = p.n, .depth = block.depth, .columns = block.part.columns};
        if (p.transposed_b) {
          b.row_size = p.k, b.at += block.part.column * p.k + k;
          pack_transposed<T>(packed_b, b);
        } else {
          b.at += k * p.n + block.part.column;
          pack_rows<T>(packed_b, b);
        }
        multiply_block<T>(p, block, packed_b, packed_a, scratch, few_rows ? kTileRows * columns : 0, finish);
      }
}

// finish(part, c, c_row): called once for every part of C when it is done and still in the first-level cache.
template <class T, class A, class B, class Finish>
void multiply(const Product<A, B>& p, Finish finish) {
  if (p.m == 0 || p.n == 0) return;
  const long work = p.m * p.n * p.k / 16;
  const bool alone = work < 20000 || omp_in_parallel();
  const Split split = choose_split(p.m, p.n, p.transposed_a, alone ? 1 : omp_get_max_threads());
  parallel_for(split.down * split.across, work, [&](long i) {
    const Part part = part_of(p.m, p.n, split, i);
    if (part.rows > 0 && part.columns > 0) multiply_part<T>(p, part, finish);
  });
}

}  // namespace

template <class T>
void own_gemm(const Gemm<T>& p) {
  const Product<T, T> product{.c = p.c,
                              .start = p.accumulate ? p.c : nullptr,
                              .start_row = p.n,
                              .a = p.a,
                              .b = p.b,
                              .transposed_a = p.transpose_a == Transpose::yes,
                              .transposed_b = p.transpose_b == Transpose::yes,
                              .m = p.m,
                              .n = p.n,
                              .k = p.k};
  multiply<T>(product, [](const Part&, const float*, long) {});
}

template <class T>
void own_linear(const Linear<T>& p) {
  // The sums along k are kept in an output where one of f32 can hold them and is not read meanwhile.
  float* c = nullptr;
  if constexpr (std::is_same_v<T, float>) c = p.y ? p.y : p.sum ? nullptr : p.gelu;
  if (!c && p.sum != p.residual) c = p.sum;
  const Product<T, float> product{.c = c,
                                  .start = p.b,
                                  .start_row = 0,
                                  .a = p.x,
                                  .b = p.w,
                                  .transposed_a = false,
                                  .transposed_b = true,
                                  .m = p.rows,
                                  .n = p.out,
                                  .k = p.in};
  multiply<T>(product, [p, c](const Part& part, const float* from, long from_row) {
    for (long r = 0; r < part.rows; ++r) {
      const float* z = from + r * from_row;
      const long row = part.row + r, at = row * p.out + part.column, n = part.columns;
      if (static_cast<void*>(p.y) != c && p.y)
        for (long j = 0; j < n; ++j) p.y[at + j] = rounded<T>(z[j]);
      if (p.gelu)
        for (long j = 0; j < n; ++j) p.gelu[at + j] = rounded<T>(z[j] * normal(z[j]).cdf);
      if (p.sum) {
        const float keep = p.keep ? p.keep[row / p.tokens] : 1.F;
        const float* gamma = p.gamma ? p.gamma + part.column : nullptr;
        if (gamma)
          for (long j = 0; j < n; ++j) p.sum[at + j] = p.residual[at + j] + gamma[j] * z[j] * keep;
        else
          for (long j = 0; j < n; ++j) p.sum[at + j] = p.residual[at + j] + z[j] * keep;
      }
    }
  });
}

template <class T>
void own_linear_input_gradient(const LinearInputGradient<T>& p) {
  float* c = nullptr;
  if constexpr (std::is_same_v<T, float>) c = p.dx;
  const Product<T, float> product{.c = c,
                                  .start = nullptr,
                                  .start_row = 0,
                                  .a = p.dy,
                                  .b = p.w,
                                  .transposed_a = false,
                                  .transposed_b = false,
                                  .m = p.rows,
                                  .n = p.in,
                                  .k = p.out};
  multiply<T>(product, [p, c](const Part& part, const float* from, long from_row) {
    if (c && !p.pre) return;
    for (long r = 0; r < part.rows; ++r) {
      const float* z = from + r * from_row;
      T* dx = p.dx + (part.row + r) * p.in + part.column;
      const T* pre = p.pre ? p.pre + (part.row + r) * p.in + part.column : nullptr;
      if (pre)
        for (long j = 0; j < part.columns; ++j) {
          const float x = widened(pre[j]);
          const Normal<float> at = normal(x);
          dx[j] = rounded<T>(z[j] * (at.cdf + x * at.density));
        }
      else
        for (long j = 0; j < part.columns; ++j) dx[j] = rounded<T>(z[j]);
    }
  });
}

template <class T>
void own_linear_weight_gradient(const LinearWeightGradient<T>& p) {
  const Product<T, T> product{.c = p.dw,
                              .start = p.accumulate ? p.dw : nullptr,
                              .start_row = p.in,
                              .a = p.dy,
                              .b = p.x,
                              .transposed_a = true,
                              .transposed_b = false,
                              .m = p.out,
                              .n = p.in,
                              .k = p.rows,
                              .a_sum = p.db,
                              .accumulate_sum = p.accumulate};
  multiply<T>(product, [](const Part&, const float*, long) {});
}

}  // namespace KERNELS_ISA

KERNEL(own_gemm, Gemm, float);
KERNEL(own_linear, Linear, float);
KERNEL(own_linear, Linear, bf16);
KERNEL(own_linear_input_gradient, LinearInputGradient, float);
KERNEL(own_linear_input_gradient, LinearInputGradient, bf16);
KERNEL(own_linear_weight_gradient, LinearWeightGradient, float);
KERNEL(own_linear_weight_gradient, LinearWeightGradient, bf16);

}  // namespace kernels
