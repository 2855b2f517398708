// From a runtime (device, dtype) to a compile-time (context, T): the only place where that happens.
//   dispatch(x, [&]<class T>(auto ctx) { kernels::gelu<T>(ctx, {...}); });
#pragma once
#include "kernels/context.h"
#include "tensor/tensor.h"

namespace lookhere {

template <class F>
void dispatch(const Tensor& t, F&& f) {
  // The CUDA back end adds its branch here: f.template operator()<T>(kernels::Cuda{stream}).
  check(t.device() == Device::cpu, "this build has no CUDA back end");
  switch (t.dtype()) {
    case Dtype::f32:
      return f.template operator()<float>(kernels::Cpu{});
    case Dtype::f64:
      return f.template operator()<double>(kernels::Cpu{});
    default:
      fail("operations work on f32 and f64, got ", t.dtype(), ": convert with to(Dtype::f32) first");
  }
}

}  // namespace lookhere
