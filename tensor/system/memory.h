// What the operating system gives of memory: pages, and how much of it there is. Nothing here allocates.
#pragma once
#include <cstddef>

namespace lookhere {

long physical_memory();  // bytes, in use or not

struct MemoryUse {
  long in_use, allowed;  // bytes of this process, as its limit counts them; allowed 0: no limit
  const char* limit;     // who set it
};
MemoryUse memory_use() noexcept;

inline constexpr long kHugePage = 2L << 20;
// Zeroed pages that begin where a huge one does, and are huge where the system has such; null if there are no more.
// bytes: a multiple of kHugePage.
std::byte* take_pages(long bytes) noexcept;
// Gives memory back to the system and keeps the addresses, for what comes next.
void empty_pages(std::byte* begin, long bytes) noexcept;

}  // namespace lookhere
