// From a runtime (device, dtype) to a compile-time (context, T): the only place where that happens.
//   dispatch(x, [&]<class T>(auto ctx) { kernels::gelu<T>(ctx, {...}); });
// While it runs, data<T>() gives the elements of tensors on x's device, and of no other.
#pragma once
#include "kernels/cuda/device.h"
#include "tensor/access.h"
#include "tensor/out_of_memory.h"
#include "tensor/tensor.h"

namespace lookhere {

// f.operator()<T>(context of t's device). What a GPU's kernel has no memory for is OutOfMemory, as it is for tensors.
template <class T, class F>
void call_on(Device device, F& f) {
  const Access access(device);
  if (device != Device::cuda) return f.template operator()<T>(kernels::Cpu{});
  try {
    f.template operator()<T>(kernels::cuda::context());
  } catch (const kernels::cuda::NoMemory& error) {
    throw OutOfMemory::on_gpu(error.wanted());
  }
}

// f32 and f64
template <class F>
void dispatch(const Tensor& t, F&& f) {
  switch (t.dtype()) {
    case Dtype::f32:
      return call_on<float>(t.device(), f);
    case Dtype::f64:
      return call_on<double>(t.device(), f);
    default:
      fail("operations work on f32 and f64, got ", t.dtype(), ": convert with to(Dtype::f32) first");
  }
}

// bf16 too, for operations of mixed precision: T is the type inside of a model's branches; the residual stream,
// parameters and their gradients are kernels::Acc<T>.
template <class F>
void dispatch_mixed(const Tensor& t, F&& f) {
  if (t.dtype() != Dtype::bf16) return dispatch(t, f);
  call_on<bf16>(t.device(), f);
}

}  // namespace lookhere
