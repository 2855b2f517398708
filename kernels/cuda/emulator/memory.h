// The emulated device's memory: out of the host's reach outside of kernels and copies.
#pragma once
#include <cstddef>

namespace kernels::emulator {

// While one lives, the memory can be read and written.
class OpenMemory {
 public:
  OpenMemory();
  ~OpenMemory();
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
};

std::byte* take_memory(long bytes);  // null: there is no more
void give_back_memory(std::byte* memory) noexcept;

}  // namespace kernels::emulator
