// UTF-8 and terminal properties.
#include "vit/show/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace lookhere {
namespace {

// The length of the code point that starts at `at`, 0 if the bytes there are not UTF-8; sets `code`.
std::size_t decode(const std::string& text, std::size_t at, std::uint32_t& code) {
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
  if (length == 0 || at + length > text.size()) return 0;
  code = length == 1 ? first : first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[at + i]);
    if (next >> 6 != 2) return 0;
    code = code << 6 | (next & 0x3FU);
  }
  constexpr std::uint32_t smallest[]{0, 0, 0x80, 0x800, 0x10000};  // anything less is an overlong form
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  return code < smallest[length] || code > 0x10FFFF || surrogate ? 0 : length;
}

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

const char* environment(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

}  // namespace

std::string one_line(const std::string& text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    std::uint32_t code = 0;
    const std::size_t length = decode(text, at, code);
    if (length == 0 || code == 0xFFFE || code == 0xFFFF)
      result += "\uFFFD";
    else if (code < 0x20 || (code >= 0x7F && code < 0xA0))
      result += ' ';
    else
      result.append(text, at, length);
    at += std::max<std::size_t>(length, 1);
  }
  return result;
}

bool is_utf8(const std::string& text) {
  std::size_t at = 0, length = 1;
  for (std::uint32_t code = 0; at < text.size() && length > 0; at += length) length = decode(text, at, code);
  return length > 0;
}

long columns(const std::string& text) {
  return static_cast<long>(text.size()) - std::count_if(text.begin(), text.end(), is_continuation);
}

std::string clip(const std::string& text, long width, bool unicode) {
  if (columns(text) <= width) return text;
  if (width <= 0) return "";
  std::size_t end = 0;
  for (long seen = 0; end < text.size(); ++end)
    if (!is_continuation(text[end]) && seen++ == width - 1) break;
  return text.substr(0, end) + (unicode ? "…" : "~");
}

std::string repeat(const std::string& what, long n) {
  std::string result;
  for (long i = 0; i < n; ++i) result += what;
  return result;
}

bool utf8_locale() {
  const char* value = nullptr;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (!value) value = environment(name);
  std::string lower;
  for (const char* c = value ? value : ""; *c; ++c) lower += static_cast<char>(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
  return lower.find("utf-8") != std::string::npos || lower.find("utf8") != std::string::npos;
}

bool color_wanted() { return !environment("NO_COLOR"); }

bool is_live_terminal(int file) {
  const char* kind = environment("TERM");
  return isatty(file) && kind && std::strcmp(kind, "dumb") != 0;
}

int terminal_width(int file) {
  winsize size{};
  return ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace lookhere
