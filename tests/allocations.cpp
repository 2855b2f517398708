// The counter, and `new` with it.
#include "tests/allocations.h"

#include <cstdlib>
#include <new>

namespace {
thread_local bool counting = false;
thread_local long count = 0;
}  // namespace

#ifndef SANITIZED
void* operator new(std::size_t size) {
  count += counting;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
// Inlined without `new`, g++ would warn that they free what `new` gave.
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace lookhere {

long allocations_during(const std::function<void()>& f) {
  count = 0, counting = true;
  f();
  counting = false;
  return count;
}

}  // namespace lookhere
