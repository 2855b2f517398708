// What a kernel's source includes. Compiled by nvcc it is CUDA; by any other compiler the emulator takes its place, in
// which every CUDA thread is a fiber on the host (kernels/cuda/README.md).
#pragma once
#include "kernels/context.h"

#ifdef __CUDACC__

#include <cuda_runtime.h>

// SHARED(float, row, 64): an array of shared memory, one for the block.
#define SHARED(T, name, size) __shared__ T name[size]
// LAUNCH(kernel, grid, block, context, arguments...)
#define LAUNCH(kernel, grid, block, context, ...) \
  kernel<<<grid, block, 0, static_cast<cudaStream_t>((context).stream)>>>(__VA_ARGS__)

#else

#include "kernels/cuda/emulator/names.h"

#define SHARED(T, name, size) auto& name = kernels::emulator::shared_array<T>(#name, size)
#define LAUNCH(kernel, grid, block, context, ...)                                                 \
  kernels::emulator::run_grid({grid, block, kernels::emulator::seed(),                            \
                               [&] { static_cast<void>(context), kernel(__VA_ARGS__); }, #kernel, \
                               kernels::emulator::Where::current()})

#endif

// A kernel's CUDA version, for every type that values between layers may have.
#define KERNELS_ON_GPU(name, Problem)               \
  template void name(Cuda, const Problem<float>&);  \
  template void name(Cuda, const Problem<double>&); \
  template void name(Cuda, const Problem<bf16>&)
