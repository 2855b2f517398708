// Devices: where a tensor's memory is and its operations run.
#pragma once
#include <ostream>
#include <string>

namespace lookhere {

// guarded is the processor once more, with memory that only operations may touch (tensor/guarded.h). It stands for a
// GPU in tests: whoever forgets where a tensor is fails on it as well, on any machine.
enum class Device { cpu, cuda, guarded };

const char* name_of(Device device);
inline std::ostream& operator<<(std::ostream& out, Device device) { return out << name_of(device); }

// Throws Error for names other than those of the devices that there are here, saying what is missing.
Device device_from_name(const std::string& name);
// Those that users choose from, for people: "cpu" or "cpu or cuda".
std::string available_devices();
// Throws Error if this machine or this build has no such device.
void check_device(Device device);
// Of a GPU: what it is, or why there is none.
std::string describe_gpu();

}  // namespace lookhere
