// The message is put together in the exception itself, with snprintf and what else allocates nothing.
#include "tensor/out_of_memory.h"

#include <cstdio>
#include <cstring>

#include "kernels/cuda/device.h"
#include "tensor/system/memory.h"

namespace lookhere {
namespace {

// 72 bytes, 512 KiB, 20 MiB: the largest unit of which there are ten.
struct Size {
  char text[32];
  explicit Size(long bytes) {
    const char* const units[] = {bytes == 1 ? "byte" : "bytes", "KiB", "MiB"};
    int unit = 0;
    for (; unit < 2 && bytes >= 10240; ++unit) bytes >>= 10;
    std::snprintf(text, sizeof text, "%ld %s", bytes, units[unit]);
  }
};

template <std::size_t N>
void describe(char (&text)[N], const char* what, const MemoryUse& u) {
  const int used = std::snprintf(text, N, "out of memory: %.250s, %s in use, ", what, Size(u.in_use).text);
  if (u.allowed)
    std::snprintf(text + used, N - used, "%s allowed%s", Size(u.allowed).text, u.limit);
  else
    std::snprintf(text + used, N - used, "no limit set");
}

}  // namespace

OutOfMemory::OutOfMemory(long wanted, const char* verb, const char* object) noexcept {
  char what[300];
  if (!*verb)
    std::snprintf(what, sizeof what, "%s wanted", Size(wanted).text);
  else if (wanted)
    std::snprintf(what, sizeof what, "%s wanted to %s %s", Size(wanted).text, verb, object);
  else
    std::snprintf(what, sizeof what, "cannot %s %s", verb, object);
  describe(text_, what, memory_use());
}

OutOfMemory::OutOfMemory(long wanted, long in_use, long allowed) noexcept {
  char what[64];
  std::snprintf(what, sizeof what, "%s wanted", Size(wanted).text);
  describe(text_, what, {.in_use = in_use, .allowed = allowed, .limit = ""});
}

OutOfMemory OutOfMemory::on_gpu(long wanted) {
  const auto [free, all] = kernels::cuda::memory();
  OutOfMemory error(wanted, all - free, all);
  error.advise(" (the GPU's memory)");
  return error;
}

OutOfMemory OutOfMemory::because(const char* reason) noexcept {
  OutOfMemory error;
  describe(error.text_, reason, memory_use());
  return error;
}

void OutOfMemory::advise(const char* advice) noexcept {
  const std::size_t used = std::strlen(text_);
  std::snprintf(text_ + used, sizeof text_ - used, "%s", advice);
}

}  // namespace lookhere
