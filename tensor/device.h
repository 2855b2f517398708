// Devices: where a tensor's memory is and its operations run.
#pragma once
#include <memory>
#include <ostream>
#include <string>

#include "kernels/cuda/device.h"

namespace lookhere {

// guarded is the processor once more, with memory that only operations may touch (tensor/guarded.h). It stands for a
// GPU in tests: whoever forgets where a tensor is fails on it as well, on any machine.
enum class Device { cpu, cuda, guarded };

const char* name_of(Device device);
inline std::ostream& operator<<(std::ostream& out, Device device) { return out << name_of(device); }

// Throws Error for names other than those of the devices that there are here, saying what is missing.
Device device_from_name(const std::string& name);
// Throws Error if this machine or this build has no such device.
void check_device(Device device);
// The device of that name, as above, for all that follows; tf32: a GPU may multiply f32 as TF32
// (kernels/cuda/product.h).
Device use_device(const std::string& name, bool tf32);
long memory_of(Device device);  // bytes, in use or not, of the machine or of this thread's GPU
// Waits until the device has done what operations have asked of it.
void synchronise(Device device);
// Tells when a device has come to a place in what it was asked to do.
class Fence {
 public:
  explicit Fence(Device device);
  void set() noexcept;  // here: after all that was asked so far
  void wait() const;    // until it has come to where it was set last; at once if it never was

 private:
  std::unique_ptr<kernels::cuda::Moment> moment_;  // of a GPU
};
// The GPU of the thread that makes it, for threads that work for that one: they call it before anything else.
class SameGpu {
 public:
  void use() const { kernels::cuda::use(gpu_); }

 private:
  int gpu_ = kernels::cuda::used();
};
// Of a GPU: what it is, or why there is none.
std::string describe_gpu();

}  // namespace lookhere
