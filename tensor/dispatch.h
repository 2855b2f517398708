// From a runtime (device, dtype) to a compile-time (context, T): the only place where that happens.
//   dispatch(x, [&]<class T>(auto ctx) { kernels::gelu<T>(ctx, {...}); });
// While it runs, data<T>() gives the elements of tensors on x's device, and of no other.
#pragma once
#include "kernels/context.h"
#include "tensor/access.h"
#include "tensor/tensor.h"

namespace lookhere {

// f32 and f64
template <class F>
void dispatch(const Tensor& t, F&& f) {
  // The CUDA back end adds its branch here: f.template operator()<T>(kernels::Cuda{stream}).
  check(t.device() != Device::cuda, "this build has no CUDA back end");
  const Access access(t.device());
  switch (t.dtype()) {
    case Dtype::f32:
      return f.template operator()<float>(kernels::Cpu{});
    case Dtype::f64:
      return f.template operator()<double>(kernels::Cpu{});
    default:
      fail("operations work on f32 and f64, got ", t.dtype(), ": convert with to(Dtype::f32) first");
  }
}

// bf16 too, for operations of mixed precision: T is the type inside of a model's branches; the residual stream,
// parameters and their gradients are kernels::Acc<T>.
template <class F>
void dispatch_mixed(const Tensor& t, F&& f) {
  if (t.dtype() != Dtype::bf16) return dispatch(t, f);
  check(t.device() != Device::cuda, "this build has no CUDA back end");
  const Access access(t.device());
  f.template operator()<bf16>(kernels::Cpu{});
}

}  // namespace lookhere
