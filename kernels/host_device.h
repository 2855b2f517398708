// HOST_DEVICE before a function: nvcc compiles it for kernels on a GPU too.
#pragma once

#ifdef __CUDACC__
#define HOST_DEVICE __host__ __device__
#else
#define HOST_DEVICE
#endif
