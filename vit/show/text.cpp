// UTF-8 and terminal properties.
#include "vit/show/text.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "tensor/system/terminal.h"
#include "tensor/text.h"

namespace lookhere {
namespace {

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

const char* environment(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

}  // namespace

std::string one_line(const std::string& text) {
  std::string result;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    if (length == 0 || rest.starts_with("\uFFFE") || rest.starts_with("\uFFFF"))
      result += "\uFFFD";
    else if (is_control(rest))
      result += ' ';
    else
      result += rest.substr(0, length);
    rest.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
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
  return is_terminal(file) && kind && std::strcmp(kind, "dumb") != 0;
}

}  // namespace lookhere
