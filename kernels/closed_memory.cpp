// One region of addresses, so that one system call opens all of it.
#include "kernels/closed_memory.h"

#include <sys/mman.h>

namespace kernels {

ClosedMemory::ClosedMemory(long bytes)
    : bytes_(bytes), memory_(mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}

bool ClosedMemory::protect(int access) const { return memory_ != MAP_FAILED && mprotect(memory_, bytes_, access) == 0; }

std::byte* ClosedMemory::take(long bytes) {
  constexpr long kAlignment = 64;
  const std::lock_guard lock(mutex_);
  if (memory_ == MAP_FAILED || bytes > bytes_ - taken_ - kAlignment) return nullptr;
  std::byte* block = static_cast<std::byte*>(memory_) + taken_;
  taken_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return block;
}

bool ClosedMemory::open() {
  const std::lock_guard lock(mutex_);
  if (users_ == 0 && !protect(PROT_READ | PROT_WRITE)) return false;
  ++users_;
  return true;
}

void ClosedMemory::close() noexcept {
  const std::lock_guard lock(mutex_);
  if (--users_ == 0) protect(PROT_NONE);
}

}  // namespace kernels
