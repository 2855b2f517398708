// Element-wise kernels on a GPU: a thread per element, sums in an order that the sizes fix.
#include "kernels/pointwise.h"

#include <cmath>

#include "kernels/cuda/columns.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/philox.h"
#include "kernels/cuda/reduce.h"

namespace kernels {
namespace {

// Parts of a sum of squares, a block each, on their way to one number.
constexpr int kMostParts = 256, kThreads = 256;
static_assert(kMostParts <= kThreads, "one block adds them");

template <class T>
__global__ void sum_parts(SumOfSquares<T> p, double* square_parts) {
  double sum = 0;
  for (long i = static_cast<long>(blockIdx.x) * kThreads + threadIdx.x; i < p.n; i += long{gridDim.x} * kThreads)
    sum += static_cast<double>(p.x[i]) * static_cast<double>(p.x[i]);
  sum = cuda::block_sum(sum);
  if (threadIdx.x == 0) square_parts[blockIdx.x] = sum;
}
__global__ void add_parts(double* total, const double* square_parts, unsigned parts) {
  const double sum = cuda::block_sum(threadIdx.x < parts ? square_parts[threadIdx.x] : 0.0);
  if (threadIdx.x == 0) *total = sum;
}

}  // namespace

template <class T>
void add(Cuda cuda, const Add<T>& p) {
  cuda::for_each(cuda, p.n, [p] __device__(long i) {
    p.y[i] = static_cast<T>(static_cast<Acc<T>>(p.a[i]) + static_cast<Acc<T>>(p.b[i % p.period]));
  });
}

template <class T>
void fill(Cuda cuda, const Fill<T>& p) {
  cuda::for_each(cuda, p.n, [p] __device__(long i) { p.y[i] = p.value; });
}

template <class T>
void scale(Cuda cuda, const Scale<T>& p) {
  cuda::for_each(cuda, p.n, [p] __device__(long i) {
    const Acc<T> factor = p.times ? p.scale * *p.times : p.scale, scaled = factor * static_cast<Acc<T>>(p.x[i]);
    p.y[i] = static_cast<T>(p.accumulate ? static_cast<Acc<T>>(p.y[i]) + scaled : scaled);
  });
}

template <class T>
void multiply(Cuda cuda, const Multiply<T>& p) {
  cuda::for_each(cuda, p.n, [p] __device__(long i) {
    p.y[i] = static_cast<T>(static_cast<Acc<T>>(p.a[i]) * static_cast<Acc<T>>(p.b[i]));
  });
}

template <class T>
void column_sum(Cuda cuda, const ColumnSum<T>& p) {
  using A = Acc<T>;
  cuda::for_each_column(
      cuda, cuda::ColumnSums<A, 1>{.sums = {p.out}, .rows = p.rows, .cols = p.cols, .accumulate = p.accumulate},
      [p] __device__(long row, long column, A* sum) { sum[0] += static_cast<A>(p.x[row * p.cols + column]); });
}

template <class T>
void sum_of_squares(Cuda cuda, const SumOfSquares<T>& p) {
  const long wanted = (p.n + kThreads - 1) / kThreads;  // by n alone, so that it is the same sum on any GPU
  const auto parts = static_cast<unsigned>(wanted < 1 ? 1 : wanted < kMostParts ? wanted : kMostParts);
  const cuda::Scratch<double> sums(cuda, parts);
  LAUNCH(sum_parts<T>, dim3(parts), dim3(kThreads), cuda, p, sums.get());
  LAUNCH(add_parts, dim3(1), dim3(kThreads), cuda, p.sum, sums.get(), parts);
}

template <class T>
void tanh(Cuda cuda, const Tanh<T>& p) {
  cuda::for_each(cuda, p.n, [p] __device__(long i) { p.y[i] = static_cast<T>(::tanh(static_cast<Acc<T>>(p.x[i]))); });
}

template <class T>
void tanh_backward(Cuda cuda, const TanhBackward<T>& p) {
  cuda::for_each(cuda, p.n, [p] __device__(long i) {
    const auto y = static_cast<Acc<T>>(p.y[i]);
    p.dx[i] = static_cast<T>(static_cast<Acc<T>>(p.dy[i]) * (1 - y * y));
  });
}

template <class T>
void waves(Cuda cuda, const Waves<T>& p) {
  cuda::for_each(cuda, p.rows * p.cols, [p] __device__(long i) {
    const auto x = static_cast<Acc<T>>(p.x[i]);
    const long at = i / p.cols * 2 * p.cols + i % p.cols;
    p.y[at] = static_cast<T>(std::cos(x)), p.y[at + p.cols] = static_cast<T>(std::sin(x));
  });
}

template <class T>
void waves_backward(Cuda cuda, const WavesBackward<T>& p) {
  cuda::for_each(cuda, p.rows * p.cols, [p] __device__(long i) {
    const long at = i / p.cols * 2 * p.cols + i % p.cols;
    p.dx[i] = static_cast<T>(static_cast<Acc<T>>(p.y[at]) * static_cast<Acc<T>>(p.dy[at + p.cols]) -
                             static_cast<Acc<T>>(p.y[at + p.cols]) * static_cast<Acc<T>>(p.dy[at]));
  });
}

// Four elements for each counter, as on the CPU.
template <class T>
void dropout(Cuda cuda, const Dropout<T>& p) {
  const auto limit = static_cast<std::uint32_t>(std::ceil(p.keep * 0x1p24F));
  cuda::for_each(cuda, (p.n + 3) / 4, [p, limit] __device__(long counter) {
    const cuda::PhiloxWords random =
        cuda::philox(p.seed, {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                              p.live_a ? static_cast<std::uint32_t>(*p.live_a) : p.a, p.b});
    const Acc<T> scale = Acc<T>(1) / static_cast<Acc<T>>(p.keep);
    for (long k = 0; k < 4 && 4 * counter + k < p.n; ++k) {
      const long i = 4 * counter + k;
      p.y[i] = static_cast<T>(random.word[k] >> 8 < limit ? static_cast<Acc<T>>(p.x[i]) * scale : Acc<T>(0));
    }
  });
}

template <class T>
void drop_path(Cuda cuda, const DropPath<T>& p) {
  const double kept = 1 / (1 - p.p);
  cuda::for_each(cuda, p.n, [p, kept] __device__(long i) {
    const std::uint32_t a = p.live_a ? static_cast<std::uint32_t>(*p.live_a) : p.a;
    const cuda::PhiloxWords random = cuda::philox(p.seed, {static_cast<std::uint32_t>(i / 4), p.b, a, p.purpose});
    p.y[i] = static_cast<T>((random.word[i % 4] >> 8) * 0x1p-24 < p.p ? 0 : kept);
  });
}

template <class T>
void residual(Cuda cuda, const Residual<T>& p) {
  using A = Acc<T>;
  cuda::for_each(cuda, p.images * p.tokens * p.cols, [p] __device__(long i) {
    const A gamma = p.gamma ? p.gamma[i % p.cols] : A(1), keep = p.keep ? p.keep[i / (p.tokens * p.cols)] : A(1);
    p.y[i] = p.x[i] + gamma * static_cast<A>(p.branch[i]) * keep;
  });
}

template <class T>
void residual_backward(Cuda cuda, const ResidualBackward<T>& p) {
  using A = Acc<T>;
  const long rows = p.images * p.tokens;
  if (p.dgamma)
    cuda::for_each_column(
        cuda, cuda::ColumnSums<A, 1>{.sums = {p.dgamma}, .rows = rows, .cols = p.cols, .accumulate = p.accumulate},
        [p] __device__(long row, long column, A* sum) {
          const A keep = p.keep ? p.keep[row / p.tokens] : A(1);
          sum[0] += p.dy[row * p.cols + column] * keep * static_cast<A>(p.branch[row * p.cols + column]);
        });
  cuda::for_each(cuda, rows * p.cols, [p] __device__(long i) {
    const A gamma = p.gamma ? p.gamma[i % p.cols] : A(1), keep = p.keep ? p.keep[i / (p.tokens * p.cols)] : A(1);
    p.dbranch[i] = static_cast<T>(p.dy[i] * keep * gamma);
  });
}

KERNELS_ON_GPU(add, Add);
KERNELS_ON_GPU(fill, Fill);
template void fill(Cuda, const Fill<std::int64_t>&);
KERNELS_ON_GPU(scale, Scale);
KERNELS_ON_GPU(multiply, Multiply);
KERNELS_ON_GPU(column_sum, ColumnSum);
KERNELS_ON_GPU(tanh, Tanh);
KERNELS_ON_GPU(tanh_backward, TanhBackward);
KERNELS_ON_GPU(waves, Waves);
KERNELS_ON_GPU(waves_backward, WavesBackward);
KERNELS_ON_GPU(dropout, Dropout);
KERNELS_ON_GPU(residual, Residual);
KERNELS_ON_GPU(residual_backward, ResidualBackward);
template void drop_path(Cuda, const DropPath<float>&);
template void drop_path(Cuda, const DropPath<double>&);
template void sum_of_squares(Cuda, const SumOfSquares<float>&);
template void sum_of_squares(Cuda, const SumOfSquares<double>&);

}  // namespace kernels
