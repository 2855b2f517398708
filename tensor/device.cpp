// The devices' names.
#include "tensor/device.h"

#include "kernels/cuda/product.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/machine.h"

namespace lookhere {

const char* name_of(Device device) {
  switch (device) {
    case Device::cpu:
      return "cpu";
    case Device::cuda:
      return "cuda";
    case Device::guarded:
      return "guarded-for-tests";  // no name that a user would come upon
  }
  return "?";
}

Device device_from_name(const std::string& name) {
  for (const Device device : {Device::cpu, Device::cuda, Device::guarded})
    if (name == name_of(device)) return check_device(device), device;
  fail("device: wanted cpu or cuda, got ", shown(name));
}

void check_device(Device device) {
  check(device != Device::cuda || kernels::cuda::problem().empty(), "device cuda: ", kernels::cuda::problem());
}

Device use_device(const std::string& name, bool tf32) {
  kernels::cuda::tf32_allowed = tf32;
  return device_from_name(name);
}

long memory_of(Device device) { return device == Device::cuda ? kernels::cuda::memory().all : memory_of_machine(); }

void synchronise(Device device) {
  if (device == Device::cuda) kernels::cuda::synchronise();
}

Fence::Fence(Device device) : moment_(device == Device::cuda ? std::make_unique<kernels::cuda::Moment>() : nullptr) {}
void Fence::set() noexcept {
  if (moment_) moment_->record();
}
void Fence::wait() const {
  if (moment_) moment_->wait();
}

std::string describe_gpu() { return kernels::cuda::description(); }

}  // namespace lookhere
