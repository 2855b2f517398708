// What tests of matrix products loop over: every type with everyone who computes it.
#pragma once
#include <optional>

#include "kernels/gemm/gemm.h"
#include "tests/kernels/cuda/contexts.h"

namespace lookhere {

// One of the CPU's back ends, or CUDA in the emulator. engine(problem) computes.
struct Engine {
  std::optional<kernels::GemmBackend> backend;
  bool is_own() const { return backend == kernels::GemmBackend::own; }
  const char* name() const { return backend ? kernels::name_of(*backend) : "cuda"; }
  template <class T>
  void operator()(const kernels::Gemm<T>& p) const {
    backend ? kernels::gemm(Cpu{}, p, *backend) : kernels::gemm(kernels::Cuda{}, p);
  }
  template <class T>
  void operator()(const kernels::Linear<T>& p) const {
    backend ? kernels::linear(Cpu{}, p, *backend) : kernels::linear(kernels::Cuda{}, p);
  }
  template <class T>
  void operator()(const kernels::LinearInputGradient<T>& p) const {
    backend ? kernels::linear_input_gradient(Cpu{}, p, *backend) : kernels::linear_input_gradient(kernels::Cuda{}, p);
  }
  template <class T>
  void operator()(const kernels::LinearWeightGradient<T>& p) const {
    backend ? kernels::linear_weight_gradient(Cpu{}, p, *backend) : kernels::linear_weight_gradient(kernels::Cuda{}, p);
  }
};

// f(T{}, engine): f32 by each back end that this build has, f64, which is always OpenBLAS' on the CPU, and both as
// CUDA, whose products alone are no kernels of ours and know no schedules. A back end that it lacks is told by
// Gemm.HasEveryBackEnd.
template <class F>
void for_each_kind(F f) {
  for (const kernels::GemmBackend backend : kernels::kEveryGemmBackend)
    if (kernels::can_run(backend)) f(float{}, Engine{backend});
  f(double{}, Engine{kernels::GemmBackend::openblas});
  for_each_type([&](auto type) { f(type, Engine{}); });
}
// The same and bf16, which on the CPU is always the library's own; CUDA under every schedule.
template <class F>
void for_each_kind_and_bf16(F f) {
  for_each_kind(f);
  f(bf16{}, Engine{kernels::GemmBackend::own});
  for_each_schedule([&] { for_each_type_and_bf16([&](auto type) { f(type, Engine{}); }); });
}

}  // namespace lookhere
