// What the program says: results to stdout, everything else to stderr. Reporting never stops work: what cannot be said
// on stderr is lost, what cannot be printed on stdout is an error at the end.
#pragma once
#include <fmt/format.h>

#include <string>

namespace lookhere {

void write_to_stderr(const std::string& text);
void write_to_stdout(const std::string& text);

template <class... Parts>
void say(fmt::format_string<Parts...> format, Parts&&... parts) {
  write_to_stderr(fmt::format(format, std::forward<Parts>(parts)...));
}
template <class... Parts>
void print(fmt::format_string<Parts...> format, Parts&&... parts) {
  write_to_stdout(fmt::format(format, std::forward<Parts>(parts)...));
}

// Throws Error (Exit::io) with the system's reason unless everything printed has been written.
void finish_output();

}  // namespace lookhere
