// Layer normalisation on a GPU: a block per row; dw and db as sums down columns.
#include "kernels/layer_norm.h"

#include <cmath>

#include "kernels/cuda/columns.h"
#include "kernels/cuda/reduce.h"

namespace kernels {
namespace {

// Variance takes a second pass over the row: E[x²] - E[x]² would lose everything far from zero.
template <class T>
__global__ void normalise_row(LayerNorm<T> p) {
  using A = Acc<T>;
  const long row = blockIdx.x;
  const A* x = p.x + row * p.cols;
  A sum = 0, squares = 0;
  for (long c = threadIdx.x; c < p.cols; c += blockDim.x) sum += x[c];
  const A mean = p.b ? cuda::block_sum(sum) / static_cast<A>(p.cols) : A(0);
  for (long c = threadIdx.x; c < p.cols; c += blockDim.x) squares += (x[c] - mean) * (x[c] - mean);
  const A rstd = 1 / std::sqrt(cuda::block_sum(squares) / static_cast<A>(p.cols) + static_cast<A>(p.eps));
  for (long c = threadIdx.x; c < p.cols; c += blockDim.x)
    p.y[row * p.cols + c] = static_cast<T>((x[c] - mean) * rstd * p.w[c] + (p.b ? p.b[c] : A(0)));
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
  sum = p.db ? cuda::block_sum(sum) / static_cast<A>(p.cols) : A(0);
  product = cuda::block_sum(product) / static_cast<A>(p.cols);
  for (long c = threadIdx.x; c < p.cols; c += blockDim.x) {
    const A g = static_cast<A>(p.dy[at + c]) * p.w[c], normalised = (p.x[at + c] - mean) * rstd;
    p.dx[at + c] = rstd * (g - sum - normalised * product) + (p.dresidual ? p.dresidual[at + c] : A(0));
  }
}

}  // namespace

template <class T>
void layer_norm(Cuda cuda, const LayerNorm<T>& p) {
  if (p.rows == 0) return;
  LAUNCH(normalise_row<T>, dim3(static_cast<unsigned>(p.rows)), dim3(cuda::threads_for(p.cols)), cuda, p);
}

// dw and db first: dx may stand where dy does.
template <class T>
void layer_norm_backward(Cuda cuda, const LayerNormBackward<T>& p) {
  using A = Acc<T>;
  if (p.db) {
    const cuda::ColumnSums<A, 2> sums{.sums = {p.dw, p.db}, .rows = p.rows, .cols = p.cols, .accumulate = p.accumulate};
    cuda::for_each_column(cuda, sums, [p] __device__(long row, long column, A* sum) {
      const A dy = static_cast<A>(p.dy[row * p.cols + column]);
      sum[0] += dy * ((p.x[row * p.cols + column] - p.mean[row]) * p.rstd[row]), sum[1] += dy;
    });
  } else {
    const cuda::ColumnSums<A, 1> sums{.sums = {p.dw}, .rows = p.rows, .cols = p.cols, .accumulate = p.accumulate};
    cuda::for_each_column(cuda, sums, [p] __device__(long row, long column, A* sum) {
      sum[0] += static_cast<A>(p.dy[row * p.cols + column]) * (p.x[row * p.cols + column] * p.rstd[row]);
    });
  }
  if (p.rows == 0) return;
  LAUNCH(gradient_of_row<T>, dim3(static_cast<unsigned>(p.rows)), dim3(cuda::threads_for(p.cols)), cuda, p);
}

KERNELS_ON_GPU(layer_norm, LayerNorm);
KERNELS_ON_GPU(layer_norm_backward, LayerNormBackward);

}  // namespace kernels
