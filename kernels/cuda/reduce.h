// Sums and maxima over the threads of a warp and of a block, in an order that depends on the number of threads alone.
#pragma once
#include "kernels/cuda/cuda.h"

namespace kernels::cuda {

inline constexpr int kWarp = 32, kMostWarps = 32;

// A block for a row of values: a thread for each, in whole warps, but no more than 256, which then take turns.
inline unsigned threads_for(long values) {
  constexpr long kMost = 256;
  const long whole = (values + kWarp - 1) / kWarp * kWarp;
  return static_cast<unsigned>(whole < kMost ? whole : kMost);
}

// Every lane gets op over the warp's values.
template <class T, class Op>
__device__ T warp_reduce(T value, Op op) {
  for (int step = kWarp / 2; step > 0; step /= 2) value = op(value, __shfl_xor_sync(~0U, value, step));
  return value;
}

// Every thread gets op over the block's values. blockDim: (a multiple of 32, 1, 1).
template <class T, class Op>
__device__ T block_reduce(T value, Op op) {
  SHARED(T, values, kMostWarps);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, warps = static_cast<int>(blockDim.x) / kWarp;
  value = warp_reduce(value, op);
  if (warps == 1) return value;
  if (threadIdx.x % kWarp == 0) values[warp] = value;
  __syncthreads();
  value = static_cast<T>(values[0]);
  for (int i = 1; i < warps; ++i) value = op(value, static_cast<T>(values[i]));
  __syncthreads();  // the next one may write here
  return value;
}

struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Max {  // whatever if one is NaN
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};
template <class T>
__device__ T warp_sum(T value) {
  return warp_reduce(value, Sum{});
}
template <class T>
__device__ T block_sum(T value) {
  return block_reduce(value, Sum{});
}
template <class T>
__device__ T block_max(T value) {
  return block_reduce(value, Max{});
}

}  // namespace kernels::cuda
