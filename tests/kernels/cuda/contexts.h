// Where kernels are tested: on the CPU, and as CUDA in the emulator, there under several schedules. What a kernel gets
// lies in vectors and not on the stack: on a GPU, which runs the same tests, it can reach those (tests/gpu).
#pragma once
#include <cstdlib>

#include "kernels/cuda/cuda.h"
#include "tests/kernels/cases.h"

namespace lookhere {

// f() in the emulator under each schedule; not at all where the tests run again for an instruction set, which CUDA has
// nothing to do with.
template <class F>
void for_each_schedule(F f) {
  if (std::getenv("LOOKHERE_ISA")) return;
  for (const std::uint64_t seed : {0, 1, 2, 3, 4, 5}) {
    kernels::emulator::set_seed(seed);
    f();
  }
  kernels::emulator::set_seed(0);
}

template <class F>
void for_each_context(F f) {
  f(kernels::Cpu{});
  for_each_schedule([&] { f(kernels::Cuda{}); });
}

// f(context, T()) for every type that values between layers may have.
template <class F>
void for_each_context_and_type(F f) {
  for_each_context([&](auto context) { for_each_type_and_bf16([&]<class T>(T value) { f(context, value); }); });
}

}  // namespace lookhere
