// What tests of matrix products loop over: every type with every back end that computes it.
#pragma once
#include "kernels/gemm/gemm.h"
#include "tests/kernels/cases.h"

namespace lookhere {

// f(T{}, backend) for f32 by each back end that this build has, and for f64, which is always OpenBLAS'. A back end that
// it lacks is told by Gemm.HasEveryBackEnd.
template <class F>
void for_each_kind(F f) {
  for (const kernels::GemmBackend backend : kernels::kEveryGemmBackend)
    if (kernels::can_run(backend)) f(float{}, backend);
  f(double{}, kernels::GemmBackend::openblas);
}
// The same and bf16, which is always the library's own.
template <class F>
void for_each_kind_and_bf16(F f) {
  for_each_kind(f);
  f(bf16{}, kernels::GemmBackend::own);
}

}  // namespace lookhere
