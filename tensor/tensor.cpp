// Tensor's memory: slices, copies and conversions. Bytes are copied and cleared here alone, on whatever device.
#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>

#include "kernels/cast.h"
#include "kernels/pointwise.h"
#include "tensor/dispatch.h"
#include "tensor/pool.h"

namespace lookhere {
namespace {

template <class F>
void with_element_type(Dtype dtype, F f) {
  switch (dtype) {
    case Dtype::f32:
      return f(float{});
    case Dtype::f64:
      return f(double{});
    case Dtype::bf16:
      return f(bf16{});
    case Dtype::i64:
      return f(i64{});
  }
}

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<From, bf16>)
    return convert<To>(static_cast<float>(value));
  else if constexpr (std::is_same_v<To, bf16>)
    return bf16(static_cast<float>(value));
  else
    return static_cast<To>(value);
}

}  // namespace

Tensor::Tensor(Shape shape, Dtype dtype, Device device)
    : storage_(Pool::of(device).allocate(checked_mul(shape.numel(), size_of(dtype)))),
      shape_(shape),
      dtype_(dtype),
      device_(device),
      numel_(shape.numel()),
      capacity_(bytes()) {}

Tensor Tensor::reshape(const Shape& shape) const {
  check(shape.numel() == numel_, "reshape: ", shape_, " has ", numel_, " elements, ", shape, " has ", shape.numel());
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

Tensor Tensor::rows(long begin, long end) const {
  check(shape_.rank() > 0 && 0 <= begin && begin <= end && end <= shape_[0], "rows: [", begin, ", ", end,
        ") is not inside ", shape_);
  std::vector<long> sizes(shape_.begin(), shape_.end());
  const long row_size = shape_[0] ? numel_ / shape_[0] : 0;
  sizes[0] = end - begin;
  Tensor t = *this;
  t.shape_ = Shape(sizes);
  t.numel_ = t.shape_.numel();
  t.offset_ += begin * row_size * size_of(dtype_);
  return t;
}

Tensor Tensor::view(long first, const Shape& shape) const {
  const long begin = offset_ + checked_mul(first, size_of(dtype_)), size = checked_mul(shape.numel(), size_of(dtype_));
  check(first >= 0 && size <= capacity_ && begin <= capacity_ - size, "view: ", shape, " from element ", first,
        " is not inside the memory of ", shape_);
  Tensor t = *this;
  t.shape_ = shape;
  t.numel_ = shape.numel();
  t.offset_ = begin;
  return t;
}

Tensor Tensor::to(Dtype dtype) const {
  if (dtype == dtype_) return *this;
  const bool whole = dtype == Dtype::i64 || dtype_ == Dtype::i64;
  if (whole && device_ != Device::cpu) return to(Device::cpu).to(dtype).to(device_);
  if (dtype_ != Dtype::f32 && dtype != Dtype::f32 && !whole) return to(Dtype::f32).to(dtype);
  Tensor result(shape_, dtype, device_);
  const bool narrower = size_of(dtype) < size_of(dtype_);
  const auto cast = [&]<class T>(auto ctx) {
    using Wide = kernels::Wider<T>;
    if (narrower)
      kernels::narrow<T>(ctx, {.y = result.data<T>(), .x = data<Wide>(), .n = numel_});
    else
      kernels::widen<T>(ctx, {.y = result.data<Wide>(), .x = data<T>(), .n = numel_});
  };
  if (!whole && (dtype == Dtype::bf16 || dtype_ == Dtype::bf16))
    call_on<bf16>(device_, cast);
  else if (!whole)
    call_on<float>(device_, cast);
  else
    with_element_type(dtype_, [&]<class From>(From) {
      with_element_type(dtype, [&]<class To>(To) {
        std::transform(host<From>(), host<From>() + numel_, result.host<To>(), convert<To, From>);
      });
    });
  return result;
}

Tensor Tensor::to(Device device) const {
  if (device == device_) return *this;
  Tensor copy(shape_, dtype_, device);
  copy.copy_from(*this);
  return copy;
}

Tensor Tensor::clone() const {
  Tensor copy(shape_, dtype_, device_);
  copy.copy_from(*this);
  return copy;
}

void Tensor::check_alike(const Tensor& from) const {
  check(from.shape_ == shape_ && from.dtype_ == dtype_, "copy: wanted ", dtype_, " ", shape_, ", got ", from.dtype_,
        " ", from.shape_);
}

void Tensor::copy_from(const Tensor& from) const {
  check_alike(from);
  if (!numel_ || raw() == from.raw()) return;
  const bool to_gpu = device_ == Device::cuda, from_gpu = from.device_ == Device::cuda;
  const Access writing(device_), reading(from.device_);
  if (to_gpu && from_gpu)
    kernels::cuda::copy_within_device(raw(), from.raw(), bytes());
  else if (to_gpu)
    kernels::cuda::copy_to_device(raw(), from.raw(), bytes());
  else if (from_gpu)
    kernels::cuda::copy_to_host(raw(), from.raw(), bytes());
  else
    std::memmove(raw(), from.raw(), bytes());
}

void Tensor::copy_beside(const Tensor& from) const {
  if (device_ != Device::cuda || from.device_ != Device::cpu) return copy_from(from);
  check_alike(from);
  const Access writing(device_);
  if (numel_) kernels::cuda::copy_to_device_beside(raw(), from.raw(), bytes());
}

double Tensor::item() const {
  check(numel_ == 1, "item: wanted one element, got shape ", shape_);
  return to(Device::cpu).to(Dtype::f64).host<double>()[0];
}

Tensor empty(const Shape& shape, Dtype dtype, Device device) { return Tensor(shape, dtype, device); }
Tensor empty(const Shape& shape, const Tensor& like) { return Tensor(shape, like.dtype(), like.device()); }
Tensor empty_like(const Tensor& like) { return empty(like.shape(), like); }

Tensor zeros(const Shape& shape, Dtype dtype, Device device) {
  Tensor t(shape, dtype, device);
  const Access writing(device);
  if (device == Device::cuda)
    kernels::cuda::clear(t.raw(), t.bytes());
  else
    std::memset(t.raw(), 0, t.bytes());
  return t;
}
Tensor zeros(const Shape& shape, const Tensor& like) { return zeros(shape, like.dtype(), like.device()); }
Tensor zeros_like(const Tensor& like) { return zeros(like.shape(), like); }

Tensor full(const Shape& shape, double value, Dtype dtype, Device device) {
  Tensor t(shape, dtype, device);
  const auto fill = [&]<class T>(auto ctx) {
    kernels::fill<T>(ctx, {.y = t.data<T>(), .n = t.numel(), .value = convert<T>(value)});
  };
  with_element_type(dtype, [&]<class T>(T) { call_on<T>(device, fill); });
  return t;
}
Tensor full(const Shape& shape, double value, const Tensor& like) {
  return full(shape, value, like.dtype(), like.device());
}

}  // namespace lookhere
