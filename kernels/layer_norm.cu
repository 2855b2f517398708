// Layer normalisation on a GPU: a warp per row, which it keeps in registers, or a block per row; dw and db as sums down
// columns.
#include "kernels/layer_norm.h"

#include <cmath>

#include "kernels/cuda/columns.h"
#include "kernels/cuda/reduce.h"
#include "kernels/cuda/vector.h"

namespace kernels {
namespace {

// Of a row that a warp keeps, a lane has every 32nd vector, kMost at most; kRows warps are a block.
constexpr int kMost = 12, kRows = 4;
template <class A>
constexpr long kKept = long{kMost} * cuda::kWarp* cuda::kLanes<A>;

// By size alone, so that where a row lies does not change the order of its sums.
template <class A>
bool is_kept(long cols) {
  return cols <= kKept<A> && cols % cuda::kLanes<A> == 0;
}

// Where this lane's vector v begins.
template <class A>
__device__ long column_of(int v) {
  return (long{v} * cuda::kWarp + threadIdx.x) * cuda::kLanes<A>;
}
// A vector from memory and back, as one where all that the kernel touches is aligned.
template <bool kAligned, class A, class T>
__device__ cuda::Vector<A, cuda::kLanes<A>> read(const T* from) {
  if constexpr (kAligned) {
    return cuda::load<cuda::kLanes<A>>(from);
  } else {
    cuda::Vector<A, cuda::kLanes<A>> values;
    for (int k = 0; k < cuda::kLanes<A>; ++k) values[k] = static_cast<A>(from[k]);
    return values;
  }
}
template <bool kAligned, class A, class T>
__device__ void write(T* to, const cuda::Vector<A, cuda::kLanes<A>>& values) {
  if constexpr (kAligned)
    cuda::store(to, values);
  else
    for (int k = 0; k < cuda::kLanes<A>; ++k) to[k] = static_cast<T>(values[k]);
}

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

template <bool kAligned, class T>
__global__ void normalise_kept_row(LayerNorm<T> p) {
  using A = Acc<T>;
  constexpr int kN = cuda::kLanes<A>;
  const long row = long{blockIdx.x} * kRows + threadIdx.y, at = row * p.cols;
  if (row >= p.rows) return;
  cuda::Vector<A, kN> x[kMost] = {};
  A sum = 0, squares = 0;
  for (int v = 0; v < kMost; ++v)
    if (const long c = column_of<A>(v); c < p.cols) x[v] = read<kAligned, A>(p.x + at + c);
  for (int v = 0; v < kMost; ++v)
    for (int k = 0; k < kN; ++k) sum += x[v][k];
  const A mean = p.b ? cuda::warp_sum(sum) / static_cast<A>(p.cols) : A(0);
  for (int v = 0; v < kMost; ++v)
    if (column_of<A>(v) < p.cols)
      for (int k = 0; k < kN; ++k) squares += (x[v][k] - mean) * (x[v][k] - mean);
  const A rstd = 1 / std::sqrt(cuda::warp_sum(squares) / static_cast<A>(p.cols) + static_cast<A>(p.eps));
  for (int v = 0; v < kMost; ++v)
    if (const long c = column_of<A>(v); c < p.cols) {
      const auto w = read<kAligned, A>(p.w + c), b = p.b ? read<kAligned, A>(p.b + c) : cuda::all<kN>(A(0));
      for (int k = 0; k < kN; ++k) x[v][k] = (x[v][k] - mean) * rstd * w[k] + b[k];
      write<kAligned, A>(p.y + at + c, x[v]);
    }
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

template <bool kAligned, class T>
__global__ void gradient_of_kept_row(LayerNormBackward<T> p) {
  using A = Acc<T>;
  constexpr int kN = cuda::kLanes<A>;
  const long row = long{blockIdx.x} * kRows + threadIdx.y, at = row * p.cols;
  if (row >= p.rows) return;
  const A mean = p.mean[row], rstd = p.rstd[row];
  cuda::Vector<A, kN> g[kMost] = {}, normalised[kMost] = {};
  A sum = 0, product = 0;  // of g and g ⊙ x̂
  for (int v = 0; v < kMost; ++v)
    if (const long c = column_of<A>(v); c < p.cols) {
      g[v] = read<kAligned, A>(p.dy + at + c), normalised[v] = read<kAligned, A>(p.x + at + c);
      const auto w = read<kAligned, A>(p.w + c);
      for (int k = 0; k < kN; ++k) g[v][k] *= w[k], normalised[v][k] = (normalised[v][k] - mean) * rstd;
    }
  for (int v = 0; v < kMost; ++v)
    for (int k = 0; k < kN; ++k) sum += g[v][k], product += g[v][k] * normalised[v][k];
  sum = p.db ? cuda::warp_sum(sum) / static_cast<A>(p.cols) : A(0);
  product = cuda::warp_sum(product) / static_cast<A>(p.cols);
  for (int v = 0; v < kMost; ++v)
    if (const long c = column_of<A>(v); c < p.cols) {
      auto dx = p.dresidual ? read<kAligned, A>(p.dresidual + at + c) : cuda::all<kN>(A(0));
      for (int k = 0; k < kN; ++k) dx[k] += rstd * (g[v][k] - sum - normalised[v][k] * product);
      write<kAligned, A>(p.dx + at + c, dx);
    }
}

// A block for kRows rows, or for one.
template <class P>
void launch_rows(Cuda cuda, const P& p, bool kept, void (*of_kept_row)(P), void (*of_row)(P)) {
  if (p.rows == 0) return;
  const auto rows = static_cast<unsigned>(p.rows);
  if (kept)
    LAUNCH(of_kept_row, dim3((rows + kRows - 1) / kRows), dim3(cuda::kWarp, kRows), cuda, p);
  else
    LAUNCH(of_row, dim3(rows), dim3(cuda::threads_for(p.cols)), cuda, p);
}

}  // namespace

template <class T>
void layer_norm(Cuda cuda, const LayerNorm<T>& p) {
  const bool aligned = cuda::aligned(p.y, p.x, p.w, p.b);
  const auto normalise_kept = aligned ? normalise_kept_row<true, T> : normalise_kept_row<false, T>;
  launch_rows(cuda, p, is_kept<Acc<T>>(p.cols), normalise_kept, normalise_row<T>);
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
  const bool aligned = cuda::aligned(p.dx, p.dy, p.x, p.w, p.dresidual);
  const auto gradient_of_kept = aligned ? gradient_of_kept_row<true, T> : gradient_of_kept_row<false, T>;
  launch_rows(cuda, p, is_kept<A>(p.cols), gradient_of_kept, gradient_of_row<T>);
}

KERNELS_ON_GPU(layer_norm, LayerNorm);
KERNELS_ON_GPU(layer_norm_backward, LayerNormBackward);

}  // namespace kernels
