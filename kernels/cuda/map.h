// A GPU thread for each element of an array.
#pragma once
#include "kernels/cuda/reduce.h"

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

}  // namespace kernels::cuda
