// What a kernel's source includes. Compiled by nvcc it is CUDA; by any other compiler the emulator takes its place, in
// which every CUDA thread is a fiber on the host (kernels/cuda/README.md).
#pragma once
#include "kernels/context.h"

#ifdef __CUDACC__

#include "kernels/cuda/gpu/error.h"

// Before a loop whose turns are known and index registers.
#define UNROLL _Pragma("unroll")
// SHARED(float, row, 64): an array of shared memory, one for the block.
#define SHARED(T, name, size) __shared__ __align__(16) T name[size]
// SHARED_VIEW(float, row, 64, byte): 64 values of the shared memory whose size LAUNCH_WITH_SHARED gives, from byte on,
// a multiple of 16. Views of several types may lie on the same bytes.
#define SHARED_VIEW(T, name, size, byte) T* const name = kernels::cuda::shared_view<T>(size, byte)
// LAUNCH(kernel, grid, block, context, arguments...)
#define LAUNCH(kernel, grid, block, context, ...)                                        \
  (kernel<<<grid, block, 0, static_cast<cudaStream_t>((context).stream)>>>(__VA_ARGS__), \
   kernels::cuda::check(cudaGetLastError(), "launch " #kernel))
// LAUNCH_WITH_SHARED(kernel, grid, block, bytes, context, arguments...)
#define LAUNCH_WITH_SHARED(kernel, grid, block, bytes, context, ...)                         \
  (kernels::cuda::allow_shared(kernel, bytes),                                               \
   kernel<<<grid, block, bytes, static_cast<cudaStream_t>((context).stream)>>>(__VA_ARGS__), \
   kernels::cuda::check(cudaGetLastError(), "launch " #kernel))

namespace kernels::cuda {

template <class T>
using SharedPointer = T*;  // to shared memory

template <class T>
__device__ T* shared_view(long, long byte) {
  extern __shared__ __align__(16) unsigned char launched_memory[];
  return reinterpret_cast<T*>(launched_memory + byte);
}

// A launch may have more than 48 KiB of shared memory only if it was asked for; how much depends on the GPU.
template <class Kernel>
void allow_shared(Kernel* kernel, long bytes) {
  constexpr long kUnasked = 48 * 1024;
  if (bytes > kUnasked)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
          "get shared memory for a launch");
}

}  // namespace kernels::cuda

#else

#include "kernels/cuda/emulator/graph.h"
#include "kernels/cuda/emulator/names.h"

#define UNROLL
#define SHARED(T, name, size) auto& name = kernels::emulator::shared_array<T>(#name, size)
#define SHARED_VIEW(T, name, size, byte) const auto name = kernels::emulator::shared_view<T>(#name, size, byte)
#define LAUNCH(kernel, grid, block, context, ...) LAUNCH_WITH_SHARED(kernel, grid, block, 0, context, __VA_ARGS__)
#define LAUNCH_WITH_SHARED(kernel, grid, block, bytes, context, ...)                                               \
  (static_cast<void>(context),                                                                                     \
   kernels::emulator::launch(                                                                                      \
       kernel,                                                                                                     \
       {grid, block, 0, {}, static_cast<long>(bytes), #kernel, kernels::emulator::Where::current()} __VA_OPT__(, ) \
           __VA_ARGS__))

namespace kernels::cuda {
using emulator::SharedPointer;
}  // namespace kernels::cuda

#endif

// A kernel's CUDA version, for every type that values between layers may have.
#define KERNELS_ON_GPU(name, Problem)               \
  template void name(Cuda, const Problem<float>&);  \
  template void name(Cuda, const Problem<double>&); \
  template void name(Cuda, const Problem<bf16>&)
