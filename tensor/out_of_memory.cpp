// The message is put together in the exception itself, with system calls and snprintf, which allocate nothing.
#include "tensor/out_of_memory.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernels/cuda/device.h"

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

struct Usage {
  long in_use, allowed;  // bytes; allowed 0: no limit
  const char* limit;     // who set it
};

// What this process has of that which its limit counts.
Usage usage() {
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

template <std::size_t N>
void describe(char (&text)[N], const char* what, const Usage& u) {
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
  describe(text_, what, usage());
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
  describe(error.text_, reason, usage());
  return error;
}

void OutOfMemory::advise(const char* advice) noexcept {
  const std::size_t used = std::strlen(text_);
  std::snprintf(text_ + used, sizeof text_ - used, "%s", advice);
}

}  // namespace lookhere
