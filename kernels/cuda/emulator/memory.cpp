// Blocks of closed memory, kept by size when they are given back. Under AddressSanitizer every block is the system's
// own instead, so that it sees who reads or writes beyond one or after it was given back.
#include "kernels/cuda/emulator/memory.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "kernels/closed_memory.h"

namespace kernels::emulator {
namespace {

constexpr long kAlignment = 256;

#ifndef SANITIZED
// None of it is destroyed: where OpenMP's library ends the process, threads are at work.
ClosedMemory& memory() {
  static ClosedMemory& only = *new ClosedMemory(16L << 30);
  return only;
}
struct Blocks {
  std::mutex mutex;
  std::map<std::byte*, long> sizes;
  std::map<long, std::vector<std::byte*>> kept;
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

#else

OpenMemory::OpenMemory() {
  if (!memory().open()) throw std::bad_alloc();
}
OpenMemory::~OpenMemory() { memory().close(); }

std::byte* take_memory(long bytes) {
  const long size = rounded(bytes);
  const std::lock_guard lock(blocks().mutex);
  auto& kept = blocks().kept[size];
  if (kept.empty()) {
    std::byte* block = memory().take(size);
    if (!block) return nullptr;
    blocks().sizes[block] = size;
    kept.reserve(blocks().sizes.size());  // giving back allocates nothing
    return block;
  }
  std::byte* block = kept.back();
  kept.pop_back();
  return block;
}

void give_back_memory(std::byte* block) noexcept {
  const std::lock_guard lock(blocks().mutex);
  blocks().kept[blocks().sizes[block]].push_back(block);
}

#endif

}  // namespace kernels::emulator
