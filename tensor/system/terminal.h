// What is behind a standard stream.
#pragma once

namespace lookhere {

inline constexpr int kStandardError = 2;
bool is_terminal(int stream);
int terminal_width(int stream);  // columns, 80 where there is no terminal

}  // namespace lookhere
