// Tensor: shape, dtype, device and shared storage. Data only: operations with gradients are on Var (autograd/var.h).
// Always contiguous, row major. Copying a Tensor copies the handle; reshape, rows and view share memory.
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

#include "tensor/access.h"
#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace lookhere {

class Tensor {
 public:
  Tensor() = default;  // undefined: no storage
  Tensor(Shape shape, Dtype dtype, Device device);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  Dtype dtype() const { return dtype_; }
  Device device() const { return device_; }
  long numel() const { return numel_; }
  long bytes() const { return numel_ * size_of(dtype_); }
  // True if no other Tensor shares this memory.
  bool unique() const { return storage_.use_count() == 1; }
  bool shares_memory(const Tensor& other) const { return defined() && storage_ == other.storage_; }

  // The elements, for everyone but kernels. Throws Error if they are not in host memory or, since dtypes come from
  // files too, not of type T. As std::byte: the memory of any dtype.
  template <class T>
  T* host() const {
    check(device_ == Device::cpu, "tensor: ", dtype_, " ", shape_, " is on ", device_,
          ", wanted in host memory: copy it with to(Device::cpu) first");
    return elements<T>();
  }
  // The elements, for a kernel: inside of dispatch alone (tensor/dispatch.h), and on its device, else an Error.
  template <class T>
  T* data() const {
    check(Access::is_to(device_), "tensor: ", dtype_, " ", shape_, " is on ", device_,
          ", where no operation runs: move it with to(Device), or read it with host<T>()");
    return elements<T>();
  }
  std::byte* raw() const { return storage_.get() + offset_; }  // to compare; not to be read or written

  Tensor reshape(const Shape& shape) const;  // same memory, same number of elements
  Tensor rows(long begin, long end) const;   // same memory, a slice of the first dimension
  // The same memory from element `first` on. It may reach beyond this tensor, not beyond the memory.
  Tensor view(long first, const Shape& shape) const;
  Tensor to(Dtype dtype) const;              // converted copy; itself if nothing changes
  Tensor to(Device device) const;            // copy on that device; itself if it is there
  Tensor clone() const;                      // deep copy
  void copy_from(const Tensor& from) const;  // overwrites the elements with those of one of this shape and dtype, from
                                             // any device
  // The same from host memory, beside what the device is doing instead of after it: nothing that it was asked may need
  // this tensor any more (Fence). Done when it returns.
  void copy_beside(const Tensor& from) const;
  double item() const;  // the one element of a tensor of one element

 private:
  void check_alike(const Tensor& from) const;
  template <class T>
  T* elements() const {
    check(defined(), "tensor: read before it was given a value");
    if constexpr (!std::is_same_v<T, std::byte>)
      check(kDtypeOf<T> == dtype_, "tensor: wanted ", kDtypeOf<T>, ", got ", dtype_);
    return reinterpret_cast<T*>(raw());
  }
  std::shared_ptr<std::byte> storage_;
  Shape shape_{0};
  Dtype dtype_ = Dtype::f32;
  Device device_ = Device::cpu;
  long numel_ = 0, offset_ = 0, capacity_ = 0;  // offset and capacity: bytes of the storage
};

// A new tensor says where it is: on a device, or where another one is.
Tensor empty(const Shape& shape, Dtype dtype, Device device);
Tensor empty(const Shape& shape, const Tensor& like);  // dtype and device of another tensor
Tensor empty_like(const Tensor& like);
Tensor zeros(const Shape& shape, Dtype dtype, Device device);
Tensor zeros(const Shape& shape, const Tensor& like);
Tensor zeros_like(const Tensor& like);
Tensor full(const Shape& shape, double value, Dtype dtype, Device device);
Tensor full(const Shape& shape, double value, const Tensor& like);

// Copies a vector: the element type decides the dtype.
template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape, Device device) {
  check(shape.numel() == static_cast<long>(values.size()), "from_vector: shape ", shape, " wants ", shape.numel(),
        " values, got ", values.size());
  Tensor t = empty(shape, kDtypeOf<T>, Device::cpu);
  std::copy(values.begin(), values.end(), t.host<T>());
  return t.to(device);
}
template <class T>
std::vector<T> to_vector(const Tensor& t) {
  const Tensor host = t.to(Device::cpu);
  return std::vector<T>(host.host<T>(), host.host<T>() + t.numel());
}

}  // namespace lookhere
