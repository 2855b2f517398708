// Where kernels are tested: on the CPU, and as CUDA in the emulator, there under several schedules.
#pragma once
#include <cstdlib>

#include "kernels/cuda/cuda.h"

namespace lookhere {

template <class F>
void for_each_context(F f) {
  f(kernels::Cpu{});
  if (std::getenv("LOOKHERE_ISA"))
    return;  // the tests run again for an instruction set, which CUDA has nothing to do with
  for (const std::uint64_t seed : {0, 1, 2, 3, 4, 5}) {
    kernels::emulator::set_seed(seed);
    f(kernels::Cuda{});
  }
  kernels::emulator::set_seed(0);
}

}  // namespace lookhere
