// Text: numbers in messages (tensor/error.h), whether a stranger's is UTF-8, and how a message shows it.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace lookhere {

// The bytes of the UTF-8 character (RFC 3629) that `text` begins with, 0 if it begins with none.
std::size_t utf8_length(std::string_view text);
bool is_utf8(std::string_view text);
// Does it begin with a control character? U+0080 to U+009F are some as well: terminals take U+009B for the start of a
// command.
bool is_control(std::string_view text);

// Fit for a line on a terminal: ? in place of every control character and every byte that is not UTF-8.
std::string printable(std::string_view text);

// "a, b, c"
std::string joined(const std::vector<std::string>& words, std::string_view separator = ", ");
// As a word of a shell command: quoted where it has to be.
std::string shell_word(const std::string& text);
// The parts between separators: "a,b" has two, "" one.
std::vector<std::string> split(std::string_view text, char separator);

}  // namespace lookhere
