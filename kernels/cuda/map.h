// A GPU thread for each element of an array, or for each vector of consecutive ones (vector.h).
#pragma once
#include <algorithm>

#include "kernels/cuda/reduce.h"
#include "kernels/cuda/vector.h"

namespace kernels::cuda {

template <class F>
__global__ void call_each(long n, F f) {
  const long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < n) f(i);
}

// f(i) for i in [0, n).
template <class F>
void for_each(Cuda cuda, long n, F f) {
  if (n == 0) return;
  const unsigned threads = threads_for(n);
  LAUNCH(call_each<F>, dim3(static_cast<unsigned>((n + threads - 1) / threads)), dim3(threads), cuda, n, f);
}

template <int kN, class F, class Y, class... X>
__global__ void map_vectors(long n, F f, Y* y, const X*... x) {
  const long i = (static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x) * kN;
  if (i >= n) return;
  const auto compute = [&](const auto&... in) {
    decltype(load<kN>(y)) out;
    for (int k = 0; k < kN; ++k) out[k] = f(in[k]...);
    store(y + i, out);
  };
  compute(load<kN>(x + i)...);
}

// y[i] = f(x[i]...) for i in [0, n), computed in Acc. y may be one of x.
template <class F, class Y, class... X>
void map(Cuda cuda, long n, F f, Y* y, const X*... x) {
  if (n == 0) return;
  constexpr int kN = std::max({kLanes<Y>, kLanes<X>...});
  const auto launch = [&](auto map_each, int size) {
    const unsigned threads = threads_for(n / size);
    LAUNCH(map_each, dim3(static_cast<unsigned>((n / size + threads - 1) / threads)), dim3(threads), cuda, n, f, y,
           x...);
  };
  if (n % kN == 0 && aligned(y, x...)) return launch(map_vectors<kN, F, Y, X...>, kN);
  launch(map_vectors<1, F, Y, X...>, 1);
}

// blockDim.y rows for a block, and of each blockDim.x vectors: their numbers take one division of 32 bits.
template <int kN, class F>
__global__ void call_each_in_rows(unsigned rows, long cols, unsigned blocks_of_row, F f) {
  const unsigned row = blockIdx.x / blocks_of_row * blockDim.y + threadIdx.y;
  const long column = (static_cast<long>(blockIdx.x % blocks_of_row) * blockDim.x + threadIdx.x) * kN;
  if (row < rows && column < cols) f.template operator()<kN>(row, column);
}

// f.operator()<kN>(row, column) for every kN columns of every row: kLanes<T>, or 1 where `vectors` is false or rows end
// within a vector. rows < 2³², so that f may divide by 32 bits: by 64 takes a hundred instructions.
template <class T, class F>
void for_each_in_rows(Cuda cuda, long rows, long cols, bool vectors, F f) {
  if (rows == 0 || cols == 0) return;
  const auto launch = [&](auto each_in_rows, int size) {
    constexpr long kThreads = 256;
    const long of_row = cols / size, blocks_of_row = (of_row + kThreads - 1) / kThreads;
    const long across = (of_row + blocks_of_row - 1) / blocks_of_row, down = std::min(kThreads / across, rows);
    LAUNCH(each_in_rows, dim3(static_cast<unsigned>((rows + down - 1) / down * blocks_of_row)),
           dim3(static_cast<unsigned>(across), static_cast<unsigned>(down)), cuda, static_cast<unsigned>(rows), cols,
           static_cast<unsigned>(blocks_of_row), f);
  };
  if (vectors && cols % kLanes<T> == 0) return launch(call_each_in_rows<kLanes<T>, F>, kLanes<T>);
  launch(call_each_in_rows<1, F>, 1);
}

}  // namespace kernels::cuda
