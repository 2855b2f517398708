// The emulated device's memory: out of the host's reach outside of kernels and copies.
#pragma once
#include <atomic>
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

inline constexpr int kGpus = 4;  // all of them the processor
inline thread_local int used_gpu = 0;

// What each GPU has. A test makes it less (not under AddressSanitizer, which has memory of its own).
inline std::atomic<long> memory_of_gpu = 16L << 30;
long memory_in_use();  // of the GPU that this thread uses

// Of the GPU that this thread uses.
std::byte* take_memory(long bytes);  // null: there is no more
void give_back_memory(std::byte* memory) noexcept;
// Throws DeviceError for memory of another GPU than the one that this thread uses (not under AddressSanitizer).
void check_own(const void* memory);

}  // namespace kernels::emulator
