// Text from files and users, made fit for a terminal line or an SVG, and what the terminal can show.
#pragma once
#include <string>

namespace lookhere {

// Valid UTF-8 without control characters: these become spaces, bytes that are not UTF-8 become U+FFFD. A class name
// can then neither move the terminal's cursor nor make an SVG unreadable.
std::string one_line(const std::string& text);

// Columns on a terminal, one for each code point; `text` is as from one_line.
long columns(const std::string& text);
// The text cut to at most `width` columns, ending in … (or ~) where something was cut.
std::string clip(const std::string& text, long width, bool unicode);
// `what` n times.
std::string repeat(const std::string& what, long n);

// Does the locale (LC_ALL, LC_CTYPE, LANG) name UTF-8?
bool utf8_locale();
// False where NO_COLOR is set and not empty (no-color.org).
bool color_wanted();
// Is the file descriptor a terminal that can redraw a line? False for TERM=dumb.
bool is_live_terminal(int file);

}  // namespace lookhere
