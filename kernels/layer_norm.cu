// Layer normalisation on a GPU: a block per row, then for dw and db a block per 32 columns.
#include "kernels/layer_norm.h"

#include "kernels/cuda/reduce.h"

namespace kernels {
namespace {

constexpr int kMostThreads = 256;
constexpr int kColumns = 32, kRowGroups = 8;  // of a block that sums down columns

// As many threads as columns, in whole warps.
unsigned threads_for(long cols) {
  const long warps = (cols + cuda::kWarp - 1) / cuda::kWarp;
  return static_cast<unsigned>(warps * cuda::kWarp < kMostThreads ? warps * cuda::kWarp : kMostThreads);
}

// Variance takes a second pass over the row: E[x²] - E[x]² would lose everything far from zero.
template <class T>
__global__ void normalise_row(LayerNorm<T> p) {
  using A = Acc<T>;
  const long row = blockIdx.x;
  const A* x = p.x + row * p.cols;
  A sum = 0, squares = 0;
  for (long c = threadIdx.x; c < p.cols; c += blockDim.x) sum += x[c];
  const A mean = cuda::block_sum(sum) / static_cast<A>(p.cols);
  for (long c = threadIdx.x; c < p.cols; c += blockDim.x) squares += (x[c] - mean) * (x[c] - mean);
  const A rstd = 1 / sqrt(cuda::block_sum(squares) / static_cast<A>(p.cols) + static_cast<A>(p.eps));
  for (long c = threadIdx.x; c < p.cols; c += blockDim.x)
    p.y[row * p.cols + c] = static_cast<T>((x[c] - mean) * rstd * p.w[c] + p.b[c]);
  if (threadIdx.x == 0) p.mean[row] = mean, p.rstd[row] = rstd;
}

template <class T>
__global__ void gradient_of_row(LayerNormBackward<T> p) {
  using A = Acc<T>;
  const long row = blockIdx.x, at = row * p.cols;
  const A mean = p.mean[row], rstd = p.rstd[row];
  A sum = 0, product = 0;  // of g and g ⊙ x̂
  for (long c = threadIdx.x; c < p.cols; c += blockDim.x) {
    const A g = static_cast<A>(p.dy[at + c]) * p.w[c];
    sum += g, product += g * ((p.x[at + c] - mean) * rstd);
  }
  sum = cuda::block_sum(sum) / static_cast<A>(p.cols), product = cuda::block_sum(product) / static_cast<A>(p.cols);
  for (long c = threadIdx.x; c < p.cols; c += blockDim.x) {
    const A g = static_cast<A>(p.dy[at + c]) * p.w[c], normalised = (p.x[at + c] - mean) * rstd;
    p.dx[at + c] = rstd * (g - sum - normalised * product) + (p.dresidual ? p.dresidual[at + c] : A(0));
  }
}

// dw and db of 32 columns: each of 8 groups of rows by a warp, then the groups in order.
template <class T>
__global__ void gradient_of_columns(LayerNormBackward<T> p) {
  using A = Acc<T>;
  SHARED(A, dw, kColumns * kRowGroups);
  SHARED(A, db, kColumns * kRowGroups);
  const int lane = static_cast<int>(threadIdx.x), group = static_cast<int>(threadIdx.y);
  const long column = static_cast<long>(blockIdx.x) * kColumns + lane;
  A sum_w = 0, sum_b = 0;
  if (column < p.cols)
    for (long row = group; row < p.rows; row += kRowGroups) {
      const A dy = static_cast<A>(p.dy[row * p.cols + column]);
      sum_w += dy * ((p.x[row * p.cols + column] - p.mean[row]) * p.rstd[row]), sum_b += dy;
    }
  dw[group * kColumns + lane] = sum_w, db[group * kColumns + lane] = sum_b;
  __syncthreads();
  if (group > 0 || column >= p.cols) return;
  sum_w = p.accumulate ? p.dw[column] : A(0), sum_b = p.accumulate ? p.db[column] : A(0);
  for (int g = 0; g < kRowGroups; ++g) sum_w += dw[g * kColumns + lane], sum_b += db[g * kColumns + lane];
  p.dw[column] = sum_w, p.db[column] = sum_b;
}

}  // namespace

template <class T>
void layer_norm(Cuda cuda, const LayerNorm<T>& p) {
  if (p.rows == 0) return;
  LAUNCH(normalise_row<T>, dim3(static_cast<unsigned>(p.rows)), dim3(threads_for(p.cols)), cuda, p);
}

// dw and db first: dx may stand where dy does.
template <class T>
void layer_norm_backward(Cuda cuda, const LayerNormBackward<T>& p) {
  const auto blocks = static_cast<unsigned>((p.cols + kColumns - 1) / kColumns);
  LAUNCH(gradient_of_columns<T>, dim3(blocks), dim3(kColumns, kRowGroups), cuda, p);
  if (p.rows == 0) return;
  LAUNCH(gradient_of_row<T>, dim3(static_cast<unsigned>(p.rows)), dim3(threads_for(p.cols)), cuda, p);
}

template void layer_norm(Cuda, const LayerNorm<float>&);
template void layer_norm(Cuda, const LayerNorm<double>&);
template void layer_norm(Cuda, const LayerNorm<bf16>&);
template void layer_norm_backward(Cuda, const LayerNormBackward<float>&);
template void layer_norm_backward(Cuda, const LayerNormBackward<double>&);
template void layer_norm_backward(Cuda, const LayerNormBackward<bf16>&);

}  // namespace kernels
