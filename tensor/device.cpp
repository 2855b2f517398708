// The devices' names.
#include "tensor/device.h"

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
  for (const Device device : {Device::cpu, Device::guarded})
    if (name == name_of(device)) return device;
  fail("device: wanted ", available_devices(), ", got ", shown(name));
}

std::string available_devices() { return "cpu (this build has no CUDA back end)"; }

}  // namespace lookhere
