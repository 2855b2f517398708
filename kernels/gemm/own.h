// The library's own matrix products: what kernels/gemm/gemm.h calls unless it is told otherwise.
#pragma once
#include "kernels/gemm/gemm.h"

namespace kernels {

template <class T>  // float
void own_gemm(Cpu, const Gemm<T>&);
template <class T>  // float, bf16
void own_linear(Cpu, const Linear<T>&);
template <class T>
void own_linear_input_gradient(Cpu, const LinearInputGradient<T>&);
template <class T>
void own_linear_weight_gradient(Cpu, const LinearWeightGradient<T>&);

}  // namespace kernels
