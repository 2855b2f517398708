// Tensor: shape, dtype, device and shared storage. Data only: operations with gradients are on Var (autograd/var.h).
// Always contiguous, row major. Copying a Tensor copies the handle; reshape, rows and view share memory.
#pragma once
#include <memory>
#include <vector>

#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace lookhere {

class Tensor {
 public:
  Tensor() = default;  // undefined: no storage
  Tensor(Shape shape, Dtype dtype, Device device = Device::cpu);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  Dtype dtype() const { return dtype_; }
  Device device() const { return device_; }
  long numel() const { return numel_; }
  long bytes() const { return numel_ * size_of(dtype_); }
  // True if no other Tensor shares this memory.
  bool unique() const { return storage_.use_count() == 1; }
  bool shares_memory(const Tensor& other) const { return defined() && storage_ == other.storage_; }

  // The elements. T must match the dtype; a mismatch is an Error, since dtypes come from files too.
  template <class T>
  T* data() const {
    check(defined(), "tensor: read before it was given a value");
    check(kDtypeOf<T> == dtype_, "tensor: wanted ", kDtypeOf<T>, ", got ", dtype_);
    return reinterpret_cast<T*>(raw());
  }
  std::byte* raw() const { return storage_.get() + offset_; }

  Tensor reshape(const Shape& shape) const;  // same memory, same number of elements
  Tensor rows(long begin, long end) const;   // same memory, a slice of the first dimension
  // The same memory from element `first` on. It may reach beyond this tensor, not beyond the memory.
  Tensor view(long first, const Shape& shape) const;
  Tensor to(Dtype dtype) const;              // converted copy; itself if nothing changes
  Tensor clone() const;                      // deep copy
  void copy_from(const Tensor& from) const;  // overwrites the elements with those of a tensor of this shape and dtype
  double item() const;                       // the one element of a tensor of one element

 private:
  std::shared_ptr<std::byte> storage_;
  Shape shape_{0};
  Dtype dtype_ = Dtype::f32;
  Device device_ = Device::cpu;
  long numel_ = 0, offset_ = 0, capacity_ = 0;  // offset and capacity: bytes of the storage
};

Tensor empty(const Shape& shape, Dtype dtype = Dtype::f32);
Tensor empty(const Shape& shape, const Tensor& like);  // dtype and device of another tensor
Tensor empty_like(const Tensor& like);
Tensor zeros(const Shape& shape, Dtype dtype = Dtype::f32);
Tensor zeros_like(const Tensor& like);
Tensor full(const Shape& shape, double value, Dtype dtype = Dtype::f32);

// Copies a vector: the element type decides the dtype.
template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape) {
  check(shape.numel() == static_cast<long>(values.size()), "from_vector: shape ", shape, " wants ", shape.numel(),
        " values, got ", values.size());
  Tensor t = empty(shape, kDtypeOf<T>);
  std::copy(values.begin(), values.end(), t.data<T>());
  return t;
}
template <class T>
std::vector<T> to_vector(const Tensor& t) {
  return std::vector<T>(t.data<T>(), t.data<T>() + t.numel());
}

}  // namespace lookhere
