// Element-wise kernels on a GPU: a thread per vector, sums in an order that the sizes fix.
#include "kernels/pointwise.h"

#include <cmath>

#include "kernels/cuda/columns.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/philox.h"
#include "kernels/cuda/reduce.h"

namespace kernels {
namespace {

// Parts of a sum of squares, a block each, on their way to one number: so many that they fill a GPU. A thread reads
// several values at once, a step apart: that needs no alignment, on which the order of the sum would then depend.
constexpr int kMostParts = 1024, kThreads = 256, kAtOnce = 4;

template <class T>
__global__ void sum_parts(SumOfSquares<T> p, double* square_parts) {
  const long step = long{gridDim.x} * kThreads;
  double sum = 0;
  for (long i = static_cast<long>(blockIdx.x) * kThreads + threadIdx.x; i < p.n; i += kAtOnce * step) {
    T x[kAtOnce];
    for (int k = 0; k < kAtOnce; ++k) x[k] = i + k * step < p.n ? p.x[i + k * step] : T(0);
    for (int k = 0; k < kAtOnce; ++k) sum += static_cast<double>(x[k]) * static_cast<double>(x[k]);
  }
  sum = cuda::block_sum(sum);
  if (threadIdx.x == 0) square_parts[blockIdx.x] = sum;
}
__global__ void add_parts(double* total, const double* square_parts, unsigned parts) {
  double sum = 0;
  for (unsigned i = threadIdx.x; i < parts; i += kThreads) sum += square_parts[i];
  sum = cuda::block_sum(sum);
  if (threadIdx.x == 0) *total = sum;
}

}  // namespace

template <class T>
void add(Cuda cuda, const Add<T>& p) {
  using A = Acc<T>;
  const auto sum = [] __device__(A a, A b) { return a + b; };
  if (p.period == p.n) return cuda::map(cuda, p.n, sum, p.y, p.a, p.b);
  const bool vectors = cuda::aligned(p.y, p.a, p.b);
  cuda::for_each_in_rows<T>(cuda, p.n / p.period, p.period, vectors, [p] __device__<int kN>(unsigned row, long c) {
    auto y = cuda::load<kN>(p.a + row * p.period + c);
    const auto b = cuda::load<kN>(p.b + c);
    for (int k = 0; k < kN; ++k) y[k] += b[k];
    cuda::store(p.y + row * p.period + c, y);
  });
}

template <class T>
void fill(Cuda cuda, const Fill<T>& p) {
  const auto value = [p] __device__() { return static_cast<Acc<T>>(p.value); };
  cuda::map(cuda, p.n, value, p.y);
}

template <class T>
void scale(Cuda cuda, const Scale<T>& p) {
  using A = Acc<T>;
  const auto scaled = [p] __device__(A x) { return (p.times ? p.scale * *p.times : p.scale) * x; };
  const auto added = [scaled] __device__(A y, A x) { return y + scaled(x); };
  if (p.accumulate) return cuda::map(cuda, p.n, added, p.y, p.y, p.x);
  cuda::map(cuda, p.n, scaled, p.y, p.x);
}

template <class T>
void multiply(Cuda cuda, const Multiply<T>& p) {
  using A = Acc<T>;
  const auto product = [] __device__(A a, A b) { return a * b; };
  cuda::map(cuda, p.n, product, p.y, p.a, p.b);
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
  const auto value = [] __device__(Acc<T> x) { return ::tanh(x); };
  cuda::map(cuda, p.n, value, p.y, p.x);
}

template <class T>
void tanh_backward(Cuda cuda, const TanhBackward<T>& p) {
  using A = Acc<T>;
  const auto gradient = [] __device__(A dy, A y) { return dy * (1 - y * y); };
  cuda::map(cuda, p.n, gradient, p.dx, p.dy, p.y);
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

// Four elements for each counter, as on the CPU, which are a vector wherever there are four.
template <class T>
void dropout(Cuda cuda, const Dropout<T>& p) {
  const auto limit = static_cast<std::uint32_t>(std::ceil(p.keep * 0x1p24F));
  const Acc<T> scale = Acc<T>(1) / static_cast<Acc<T>>(p.keep);
  const bool vectors = p.n % 4 == 0 && cuda::aligned(p.y, p.x);
  cuda::for_each(cuda, (p.n + 3) / 4, [p, limit, scale, vectors] __device__(long counter) {
    const cuda::PhiloxWords random =
        cuda::philox(p.seed, {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                              p.live_a ? static_cast<std::uint32_t>(*p.live_a) : p.a, p.b});
    const auto dropped = [&](int k, Acc<T> x) { return random.word[k] >> 8 < limit ? x * scale : Acc<T>(0); };
    if (vectors) {
      auto x = cuda::load<4>(p.x + 4 * counter);
      for (int k = 0; k < 4; ++k) x[k] = dropped(k, x[k]);
      cuda::store(p.y + 4 * counter, x);
    } else {
      for (int k = 0; k < 4 && 4 * counter + k < p.n; ++k) {
        const long i = 4 * counter + k;
        p.y[i] = static_cast<T>(dropped(k, static_cast<Acc<T>>(p.x[i])));
      }
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
  const auto add_branch = [p] __device__<int kN>(unsigned row, long column) {
    const long i = row * p.cols + column;
    const A keep = p.keep ? p.keep[row / static_cast<unsigned>(p.tokens)] : A(1);
    const auto gamma = p.gamma ? cuda::load<kN>(p.gamma + column) : cuda::all<kN>(A(1));
    const auto branch = cuda::load<kN>(p.branch + i);
    auto y = cuda::load<kN>(p.x + i);
    for (int k = 0; k < kN; ++k) y[k] += gamma[k] * branch[k] * keep;
    cuda::store(p.y + i, y);
  };
  const bool vectors = cuda::aligned(p.y, p.x, p.branch, p.gamma);
  cuda::for_each_in_rows<T>(cuda, p.images * p.tokens, p.cols, vectors, add_branch);
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
  const auto to_branch = [p] __device__<int kN>(unsigned row, long column) {
    const A keep = p.keep ? p.keep[row / static_cast<unsigned>(p.tokens)] : A(1);
    const auto gamma = p.gamma ? cuda::load<kN>(p.gamma + column) : cuda::all<kN>(A(1));
    auto dy = cuda::load<kN>(p.dy + row * p.cols + column);
    for (int k = 0; k < kN; ++k) dy[k] = dy[k] * keep * gamma[k];
    cuda::store(p.dbranch + row * p.cols + column, dy);
  };
  cuda::for_each_in_rows<T>(cuda, rows, p.cols, cuda::aligned(p.dbranch, p.dy, p.gamma), to_branch);
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
