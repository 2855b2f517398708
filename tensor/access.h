// Access: while one lives, this thread may touch the memory of a device. dispatch makes one around every kernel, and so
// do copies between devices; no one else does.
#pragma once
#include <utility>

#include "tensor/device.h"
#include "tensor/error.h"
#include "tensor/guarded.h"

namespace lookhere {

class Access {
 public:
  explicit Access(Device device) : device_(device) {
    if (device == Device::guarded) [[unlikely]]
      check(guarded_memory().open(), "device: cannot open the memory of the guarded one");
    outer_ = std::exchange(innermost_, this);
  }
  ~Access() {
    innermost_ = outer_;
    if (device_ == Device::guarded) [[unlikely]]
      guarded_memory().close();
  }
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

  // Does the kernel that this thread is about to call run on this device?
  static bool is_to(Device device) { return innermost_ && innermost_->device_ == device; }

 private:
  Device device_;
  const Access* outer_ = nullptr;
  static inline constinit thread_local const Access* innermost_ = nullptr;
};

}  // namespace lookhere
