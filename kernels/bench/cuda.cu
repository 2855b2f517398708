// Every CUDA kernel timed alone, as a share of what the GPU can do: its memory by a copy, its arithmetic by cuBLAS. It
// links the kernels' CUDA versions alone.
#include "kernels/bench/cuda/table.h"

int main(int argc, char** argv) {
  try {
    return kernels::gpu_bench::run_cases(argc, argv, {}, {});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
