// What this machine offers: its instruction set, its BLAS, its threads.
#pragma once
#include <string>

namespace lookhere {

// Throws Error if $LOOKHERE_ISA or $LOOKHERE_GEMM name what the kernels cannot use here (kernels/simd/isa.h,
// kernels/gemm/gemm.h).
void check_processor();
// One line: BLAS and its build, core type, instruction set, who multiplies, threads.
std::string describe_cpu();
// What of it decides about the last bits of results: machines that agree in it agree in those.
std::string arithmetic_of_cpu();
// What is wrong with BLAS: not its OpenMP build, or fewer threads than the rest of the program; empty if all is well.
std::string blas_warning();
long memory_of_machine();  // bytes, in use or not, or what of them a control group (a container) leaves this process
int thread_count();
void set_thread_count(int threads);

}  // namespace lookhere
