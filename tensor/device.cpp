// The devices' names.
#include "tensor/device.h"

#include "kernels/cuda/device.h"
#include "tensor/error.h"
#include "tensor/file.h"

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
  fail("device: wanted ", available_devices(), ", got ", shown(name));
}

std::string available_devices() { return kernels::cuda::problem().empty() ? "cpu or cuda" : "cpu"; }

void check_device(Device device) {
  check(device != Device::cuda || kernels::cuda::problem().empty(), "device cuda: ", kernels::cuda::problem());
}

std::string describe_gpu() { return kernels::cuda::description(); }

}  // namespace lookhere
