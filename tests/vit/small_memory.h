// Of address space, for tests of what happens when there is no more.
#pragma once
#include "tests/program.h"

namespace lookhere {

inline Surroundings small_memory() {
#if defined(__SANITIZE_ADDRESS__)
  // Its own tables take terabytes of address space; it has a limit of its own.
  return {.environment = {"ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=256"}};
#else
  return {.memory_limit = 1L << 30};
#endif
}

}  // namespace lookhere
