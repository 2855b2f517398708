// Linux's calls behind tensor/system/memory.h.
#include "tensor/system/memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace lookhere {

long physical_memory() { return sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE); }

MemoryUse memory_use() noexcept {
  char text[256] = {};
  if (const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC); file >= 0) {
    if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
    close(file);
  }
  enum { kSize, kResident, kShared, kText, kLibrary, kData, kFields };
  long pages[kFields] = {};
  char* at = text;
  for (long& field : pages) field = std::strtol(at, &at, 10);
  const long page = sysconf(_SC_PAGESIZE);
  const auto limit_of = [](auto resource) {
    rlimit limit{};
    return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? static_cast<long>(limit.rlim_cur) : 0;
  };
  if (const long limit = limit_of(RLIMIT_AS)) return {pages[kSize] * page, limit, " (ulimit -v)"};
  if (const long limit = limit_of(RLIMIT_DATA)) return {pages[kData] * page, limit, " (ulimit -d)"};
  return {pages[kResident] * page, 0, ""};
}

std::byte* take_pages(long bytes) noexcept {
  const long mapped = bytes + kHugePage;
  void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  // Only what starts where a huge page does is kept.
  auto* begin = static_cast<std::byte*>(memory);
  const long skipped = (kHugePage - static_cast<long>(reinterpret_cast<std::uintptr_t>(begin) % kHugePage)) % kHugePage;
  if (skipped) munmap(begin, skipped);
  begin += skipped;
  munmap(begin + bytes, mapped - skipped - bytes);
  madvise(begin, bytes, MADV_HUGEPAGE);  // a wish
  return begin;
}

void empty_pages(std::byte* begin, long bytes) noexcept { madvise(begin, bytes, MADV_DONTNEED); }

}  // namespace lookhere
