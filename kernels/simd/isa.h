// One source, several instruction sets. A file with kernels in namespace KERNELS_ISA is compiled once for each of them,
// which is what that name then stands for. It lists its kernels with KERNEL(...): the first call asks the processor
// which one to take.
//
// Such a file may use nothing inline from outside of its namespace that the compiler could leave as a function of its
// own: the linker keeps one copy of those, and would give AVX-512 code to a processor without it. The build checks
// that.
#pragma once
#include "kernels/context.h"

#ifndef KERNELS_ISA
#define KERNELS_ISA portable
#define KERNELS_PORTABLE
#endif

namespace kernels {

// In rising order; each includes the ones before. portable: whatever the compiler's target has (SSE2 on x86-64).
enum class Isa { portable, avx2, avx512, avx512_bf16 };
inline constexpr Isa kEveryIsa[] = {Isa::portable, Isa::avx2, Isa::avx512, Isa::avx512_bf16};

const char* name_of(Isa isa);  // as the environment variable spells it: "portable", "avx2", ...
bool can_run(Isa isa);         // was it compiled, and does this processor have it?
// The one that kernels use: $LOOKHERE_ISA if it names one that can run, else the highest that can. Settled by the first
// call and the same from then on.
Isa isa();
// What is wrong with $LOOKHERE_ISA, as one line; empty if nothing.
const char* isa_problem();

}  // namespace kernels

// KERNEL(layer_norm, LayerNorm, float); at namespace kernels' scope: makes layer_norm(Cpu, const LayerNorm<float>&) out
// of the template KERNELS_ISA::layer_norm(const LayerNorm<T>&) of every instruction set.
// KERNEL_OF_PAIRS(attention, Attention); does so for bf16, where AVX512_BF16 multiplies pairs (simd/pairs.h). It has no
// other instructions, so that all other kernels are AVX-512's there, and not the same once more.
#if defined(KERNELS_OF_PAIRS_ALONE)
#define KERNEL(name, Problem, T) static_assert(true)
#define KERNEL_OF_PAIRS(name, Problem) template void KERNELS_ISA::name(const Problem<bf16>&)
#elif !defined(KERNELS_PORTABLE)
#define KERNEL(name, Problem, T) template void KERNELS_ISA::name(const Problem<T>&)
#define KERNEL_OF_PAIRS(name, Problem) KERNEL(name, Problem, bf16)
#elif defined(KERNELS_EVERY_ISA)
#define KERNEL(name, Problem, T) KERNEL_UP_TO(avx512, name, Problem, T)
#define KERNEL_OF_PAIRS(name, Problem) KERNEL_UP_TO(avx512_bf16, name, Problem, bf16)
#define KERNEL_UP_TO(best, name, Problem, T)                                                               \
  namespace avx2 {                                                                                         \
  template <class U>                                                                                       \
  void name(const Problem<U>&);                                                                            \
  }                                                                                                        \
  namespace avx512 {                                                                                       \
  template <class U>                                                                                       \
  void name(const Problem<U>&);                                                                            \
  }                                                                                                        \
  namespace avx512_bf16 {                                                                                  \
  template <class U>                                                                                       \
  void name(const Problem<U>&);                                                                            \
  }                                                                                                        \
  template void portable::name(const Problem<T>&);                                                         \
  template <>                                                                                              \
  void name(Cpu, const Problem<T>& p) {                                                                    \
    constexpr void (*kVersions[])(const Problem<T>&) = {portable::name<T>, avx2::name<T>, avx512::name<T>, \
                                                        best::name<T>};                                    \
    kVersions[static_cast<int>(isa())](p);                                                                 \
  }                                                                                                        \
  static_assert(true)
#else
#define KERNEL_OF_PAIRS(name, Problem) KERNEL(name, Problem, bf16)
#define KERNEL(name, Problem, T)                   \
  template void portable::name(const Problem<T>&); \
  template <>                                      \
  void name(Cpu, const Problem<T>& p) {            \
    portable::name(p);                             \
  }                                                \
  static_assert(true)
#endif

// For every type that values between layers may have.
#define KERNELS(name, Problem)   \
  KERNEL(name, Problem, float);  \
  KERNEL(name, Problem, double); \
  KERNEL(name, Problem, bf16)
