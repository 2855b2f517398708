// What programs are linked with in place of what another machine may lack: the functions of libfmt that are not in its
// headers otherwise (Debian has no archive of it), and a function of the C library that came in 2.36.
#define FMT_HEADER_ONLY
#include <fmt/format.h>
#include <sys/random.h>

#include <cstdlib>

namespace {
[[gnu::used]] std::string (*const kFormat)(fmt::string_view, fmt::format_args) = fmt::vformat;
[[gnu::used]] bool (*const kIsPrintable)(std::uint32_t) = fmt::detail::is_printable;
}  // namespace
template fmt::detail::thousands_sep_result<char> fmt::detail::thousands_sep_impl<char>(fmt::detail::locale_ref);
template char fmt::detail::decimal_point_impl<char>(fmt::detail::locale_ref);

// What std::random_device draws from.
extern "C" std::uint32_t arc4random() noexcept {
  std::uint32_t drawn = 0;
  if (getrandom(&drawn, sizeof drawn, 0) != sizeof drawn) std::abort();
  return drawn;
}
