// One region of addresses, so that one system call opens all of it.
#include "tensor/guarded.h"

#include <sys/mman.h>

#include <mutex>

#include "tensor/error.h"

namespace lookhere::guarded {
namespace {

constexpr long kBytes = 4L << 30;  // of addresses: memory comes with the first touch

struct Region {
  std::mutex mutex;
  void* memory = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  long taken = 0;
  int users = 0;

  bool protect(int access) const { return memory != MAP_FAILED && mprotect(memory, kBytes, access) == 0; }
};
Region& region() {
  static Region& only = *new Region;  // never destroyed: where OpenMP's library ends the process, threads are at work
  return only;
}

}  // namespace

std::byte* take(long bytes) {
  Region& all = region();
  const std::lock_guard lock(all.mutex);
  if (all.memory == MAP_FAILED || bytes > kBytes - all.taken) return nullptr;
  std::byte* block = static_cast<std::byte*>(all.memory) + all.taken;
  all.taken += bytes;
  return block;
}

void open() {
  Region& all = region();
  const std::lock_guard lock(all.mutex);
  if (all.users == 0) check(all.protect(PROT_READ | PROT_WRITE), "device: cannot open the memory of the guarded one");
  ++all.users;
}

void close() noexcept {
  Region& all = region();
  const std::lock_guard lock(all.mutex);
  if (--all.users == 0) all.protect(PROT_NONE);
}

}  // namespace lookhere::guarded
