// Sums over the threads of a warp and of a block, in an order that depends on the number of threads alone.
#pragma once
#include "kernels/cuda/cuda.h"

namespace kernels::cuda {

inline constexpr int kWarp = 32, kMostWarps = 32;

// Every lane gets the sum of the warp's values.
template <class T>
__device__ T warp_sum(T value) {
  for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(~0U, value, step);
  return value;
}

// Every thread gets the sum of the block's values. blockDim: (a multiple of 32, 1, 1).
template <class T>
__device__ T block_sum(T value) {
  SHARED(T, sums, kMostWarps);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, warps = static_cast<int>(blockDim.x) / kWarp;
  value = warp_sum(value);
  if (warps == 1) return value;
  if (threadIdx.x % kWarp == 0) sums[warp] = value;
  __syncthreads();
  T total = 0;
  for (int i = 0; i < warps; ++i) total += sums[i];
  __syncthreads();  // the next sum may write here
  return total;
}

}  // namespace kernels::cuda
