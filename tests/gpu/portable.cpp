// What programs are linked with in place of what another machine may lack: libfmt's one function that is not in its
// headers (Debian has no archive of it), and a function of the C library that came in 2.36.
#define FMT_HEADER_ONLY
#include <fmt/format.h>
#include <sys/random.h>

#include <cstdlib>

namespace {
[[gnu::used]] std::string (*const kept)(fmt::string_view, fmt::format_args) = fmt::vformat;
}  // namespace

// What std::random_device draws from.
extern "C" std::uint32_t arc4random() noexcept {
  std::uint32_t drawn = 0;
  if (getrandom(&drawn, sizeof drawn, 0) != sizeof drawn) std::abort();
  return drawn;
}
