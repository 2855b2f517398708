// What the program says: results to stdout, everything else to stderr. Reporting never stops work: what cannot be said
// on stderr is lost, what cannot be printed on stdout is an error at the end. Text among the parts may come from a file
// or a user: it is shown as one_line has it, so that it can neither move the cursor nor pass for another line.
#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <type_traits>

#include "vit/show/text.h"

namespace lookhere {

void write_to_stderr(const std::string& text);
void write_to_stdout(const std::string& text);

// A part as it is shown.
template <class Part>
auto shown_part(const Part& part) {
  if constexpr (std::is_convertible_v<const Part&, std::string_view>)
    return one_line(std::string(std::string_view(part)));
  else
    return part;
}
template <class... Shown>
std::string formatted(fmt::string_view format, const Shown&... parts) {
  return fmt::vformat(format, fmt::make_format_args(parts...));
}
template <class... Parts>
void say(fmt::format_string<Parts...> format, Parts&&... parts) {
  write_to_stderr(formatted(format, shown_part(parts)...));
}
template <class... Parts>
void print(fmt::format_string<Parts...> format, Parts&&... parts) {
  write_to_stdout(formatted(format, shown_part(parts)...));
}

// Throws Error (Exit::io) with the system's reason unless everything printed has been written.
void finish_output();

}  // namespace lookhere
