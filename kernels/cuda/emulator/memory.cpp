// Blocks of closed memory, kept by size when they are given back. Under AddressSanitizer every block is the system's
// own instead, so that it sees who reads or writes beyond one or after it was given back.
#include "kernels/cuda/emulator/memory.h"

#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "kernels/closed_memory.h"
#include "kernels/cuda/device.h"

namespace kernels::emulator {
namespace {

constexpr long kAlignment = 256;

#ifndef SANITIZED
// None of it is destroyed: where OpenMP's library ends the process, threads are at work.
ClosedMemory& memory() {
  static ClosedMemory& only = *new ClosedMemory(16L << 30);
  return only;
}
struct Kind {
  int gpu;
  long size;
  auto operator<=>(const Kind&) const = default;
};
struct Blocks {
  std::mutex mutex;
  std::map<const std::byte*, Kind> kinds;
  std::map<Kind, std::vector<std::byte*>> kept;
  long in_use[kGpus] = {};
};
Blocks& blocks() {
  static Blocks& only = *new Blocks;
  return only;
}
long rounded(long bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
#endif

}  // namespace

#ifdef SANITIZED

OpenMemory::OpenMemory() = default;
OpenMemory::~OpenMemory() = default;
std::byte* take_memory(long bytes) {
  void* memory = nullptr;  // not a byte more than asked for
  return posix_memalign(&memory, kAlignment, bytes) == 0 ? static_cast<std::byte*>(memory) : nullptr;
}
void give_back_memory(std::byte* memory) noexcept { std::free(memory); }
void check_own(const void*) {}
long memory_in_use() { return 0; }

#else

OpenMemory::OpenMemory() {
  if (!memory().open()) throw std::bad_alloc();
}
OpenMemory::~OpenMemory() { memory().close(); }

std::byte* take_memory(long bytes) {
  const Kind kind{.gpu = used_gpu, .size = rounded(bytes)};
  const std::lock_guard lock(blocks().mutex);
  long& in_use = blocks().in_use[kind.gpu];
  if (in_use + kind.size > memory_of_gpu) return nullptr;
  auto& kept = blocks().kept[kind];
  if (kept.empty()) {
    std::byte* block = memory().take(kind.size);
    if (!block) return nullptr;
    blocks().kinds[block] = kind;
    kept.reserve(blocks().kinds.size());  // giving back allocates nothing
    in_use += kind.size;
    return block;
  }
  std::byte* block = kept.back();
  kept.pop_back();
  in_use += kind.size;
  return block;
}

void give_back_memory(std::byte* block) noexcept {
  const std::lock_guard lock(blocks().mutex);
  const Kind kind = blocks().kinds[block];
  blocks().in_use[kind.gpu] -= kind.size;
  blocks().kept[kind].push_back(block);
}
long memory_in_use() {
  const std::lock_guard lock(blocks().mutex);
  return blocks().in_use[used_gpu];
}

void check_own(const void* memory) {
  const std::lock_guard lock(blocks().mutex);
  const auto after = blocks().kinds.upper_bound(static_cast<const std::byte*>(memory));
  if (after == blocks().kinds.begin()) return;
  const int gpu = std::prev(after)->second.gpu;
  if (gpu != used_gpu)
    throw cuda::DeviceError("the emulator: memory of GPU " + std::to_string(gpu) + " on GPU " +
                            std::to_string(used_gpu));
}

#endif

}  // namespace kernels::emulator
