// CUDA's error codes as exceptions.
#pragma once
#include <cuda_runtime.h>

#include <string>

#include "kernels/cuda/device.h"

namespace kernels::cuda {

inline void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw DeviceError(std::string("cuda: cannot ") + what + ": " + cudaGetErrorString(error));
}

}  // namespace kernels::cuda
