// Which instruction set this processor has, and which one the kernels use.
#include "kernels/simd/isa.h"

#include "kernels/choice.h"

namespace kernels {
namespace {

const Choice<Isa>& choice() {
  static const Choice<Isa> made = [] {
    Isa best = Isa::portable;
    for (const Isa candidate : kEveryIsa)
      if (can_run(candidate)) best = candidate;
    return choose("LOOKHERE_ISA", best, kEveryIsa, "LOOKHERE_ISA: this processor or this build lacks the one it names",
                  "LOOKHERE_ISA: wanted portable, avx2, avx512 or avx512_bf16");
  }();
  return made;
}

}  // namespace

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::portable:
      return "portable";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::avx512_bf16:
      return "avx512_bf16";
  }
  return "?";
}

bool can_run(Isa isa) {
  if (isa == Isa::portable) return true;
#ifdef KERNELS_EVERY_ISA
  // What the compiler may use under -march=x86-64-v3 and -v4 (Makefile).
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return isa == Isa::avx2 ? v3 : isa == Isa::avx512 ? v4 : v4 && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

Isa isa() { return choice().value; }
const char* isa_problem() { return choice().problem; }

}  // namespace kernels
