// Matrix products on a GPU: the one place that calls cuBLAS (gpu/product.cu), or a host loop (emulator/product.cpp).
#pragma once
#include <atomic>

#include "kernels/gemm/gemm.h"

namespace kernels::cuda {

// C = alpha·A·B (+ C), row major, with rows of any distance; `count` of them at equal distances. bf16 is multiplied
// exactly and summed in f32.
template <class C, class AB>
struct Product {
  C* c;         // (m, n) out
  const AB* a;  // (m, k), or (k, m) if transpose_a
  const AB* b;  // (k, n), or (n, k) if transpose_b
  long m, n, k;
  long c_row, a_row, b_row;  // from one row to the next, in elements
  Transpose transpose_a = Transpose::no, transpose_b = Transpose::no;
  double alpha = 1;
  bool accumulate = false;
  long count = 1, c_next = 0, a_next = 0, b_next = 0;
};

// Whether f32 may be multiplied as TF32, which keeps 10 bits of the mantissa and is several times as fast.
inline std::atomic<bool> tf32_allowed = false;

void product(Cuda, const Product<float, float>&);
void product(Cuda, const Product<double, double>&);
void product(Cuda, const Product<float, bf16>&);
void product(Cuda, const Product<bf16, bf16>&);

}  // namespace kernels::cuda
