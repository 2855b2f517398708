// Sums down the columns of a matrix, several at once: a block for 32 columns, whose rows are shared out among 8 groups.
// The order of a sum depends on the number of rows alone, and nothing is added atomically: the same bits every time.
#pragma once
#include "kernels/cuda/cuda.h"

namespace kernels::cuda {

inline constexpr int kColumns = 32, kRowGroups = 8;  // of a block

template <class A, int kSums>
struct ColumnSums {
  A* sums[kSums];  // (cols) out
  long rows, cols;
  bool accumulate;  // they are added to
};

// f(row, column, sum) adds to sum[0 .. kSums - 1].
template <class A, int kSums, class F>
__global__ void sum_columns(ColumnSums<A, kSums> p, F f) {
  SHARED(A, parts, kSums * kRowGroups * kColumns);
  const int lane = static_cast<int>(threadIdx.x), group = static_cast<int>(threadIdx.y);
  const long column = static_cast<long>(blockIdx.x) * kColumns + lane;
  A sum[kSums] = {};
  if (column < p.cols)
    for (long row = group; row < p.rows; row += kRowGroups) f(row, column, sum);
  for (int s = 0; s < kSums; ++s) parts[(s * kRowGroups + group) * kColumns + lane] = sum[s];
  __syncthreads();
  if (group > 0 || column >= p.cols) return;
  for (int s = 0; s < kSums; ++s) {
    A total = p.accumulate ? p.sums[s][column] : A(0);
    for (int g = 0; g < kRowGroups; ++g) total += parts[(s * kRowGroups + g) * kColumns + lane];
    p.sums[s][column] = total;
  }
}

template <class A, int kSums, class F>
void for_each_column(Cuda cuda, const ColumnSums<A, kSums>& p, F f) {
  const auto blocks = static_cast<unsigned>((p.cols + kColumns - 1) / kColumns);
  if (blocks == 0) return;
  const auto column_sums = sum_columns<A, kSums, F>;  // the name that a trace has
  LAUNCH(column_sums, dim3(blocks), dim3(kColumns, kRowGroups), cuda, p, f);
}

}  // namespace kernels::cuda
