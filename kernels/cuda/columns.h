// Sums down the columns of a matrix, several at once: a block for 32 columns of one part of the rows, which are shared
// out among 8 groups; then the parts' sums are added. There are parts because columns alone are too few blocks for a
// GPU. The order of a sum depends on the number of rows alone, and nothing is added atomically: the same bits every
// time.
#pragma once
#include <algorithm>

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/device.h"

namespace kernels::cuda {

inline constexpr int kColumns = 32, kRowGroups = 8;  // of a block
inline constexpr long kRowsOfPart = 128, kMostParts = 128;

template <class A, int kSums>
struct ColumnSums {
  A* sums[kSums];  // (cols) out
  long rows, cols;
  bool accumulate;  // they are added to
};

// f(row, column, sum) adds to sum[0 .. kSums - 1]. With several parts, a part's sums are p.sums[s][part·cols + column].
template <class A, int kSums, class F>
__global__ void sum_columns(ColumnSums<A, kSums> p, F f) {
  SHARED(A, parts, kSums * kRowGroups * kColumns);
  const int lane = static_cast<int>(threadIdx.x), group = static_cast<int>(threadIdx.y);
  const long column = static_cast<long>(blockIdx.x) * kColumns + lane, count = gridDim.y, part = blockIdx.y;
  const long end = p.rows * (part + 1) / count;
  A sum[kSums] = {};
  if (column < p.cols)
    for (long row = p.rows * part / count + group; row < end; row += kRowGroups) f(row, column, sum);
  for (int s = 0; s < kSums; ++s) parts[(s * kRowGroups + group) * kColumns + lane] = sum[s];
  __syncthreads();
  if (group > 0 || column >= p.cols) return;
  for (int s = 0; s < kSums; ++s) {
    const long to = part * p.cols + column;
    A total = p.accumulate ? p.sums[s][to] : A(0);
    for (int g = 0; g < kRowGroups; ++g) total += parts[(s * kRowGroups + g) * kColumns + lane];
    p.sums[s][to] = total;
  }
}

template <class A, int kSums, class F>
void for_each_column(Cuda cuda, const ColumnSums<A, kSums>& p, F f) {
  const auto blocks = static_cast<unsigned>((p.cols + kColumns - 1) / kColumns);
  if (blocks == 0) return;
  const auto column_sums = sum_columns<A, kSums, F>;  // the name that a trace has
  const long parts = std::clamp(p.rows / kRowsOfPart, 1L, kMostParts);
  if (parts == 1) return LAUNCH(column_sums, dim3(blocks), dim3(kColumns, kRowGroups), cuda, p, f);
  const Scratch<A> scratch(cuda, kSums * parts * p.cols);
  ColumnSums<A, kSums> of_parts{.sums = {}, .rows = p.rows, .cols = p.cols, .accumulate = false};
  for (int s = 0; s < kSums; ++s) of_parts.sums[s] = scratch.get() + s * parts * p.cols;
  LAUNCH(column_sums, dim3(blocks, static_cast<unsigned>(parts)), dim3(kColumns, kRowGroups), cuda, of_parts, f);
  const auto add = [of_parts] __device__(long part, long column, A* sum) {
    UNROLL
    for (int s = 0; s < kSums; ++s) sum[s] += of_parts.sums[s][part * of_parts.cols + column];
  };
  ColumnSums<A, kSums> of_all = p;
  of_all.rows = parts;
  const auto add_parts = sum_columns<A, kSums, decltype(add)>;
  LAUNCH(add_parts, dim3(blocks), dim3(kColumns, kRowGroups), cuda, of_all, add);
}

}  // namespace kernels::cuda
