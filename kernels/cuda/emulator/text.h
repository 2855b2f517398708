// Words and numbers as one text.
#pragma once
#include <string>
#include <type_traits>

namespace kernels::emulator {

template <class Part>
std::string text_of_part(const Part& part) {
  if constexpr (std::is_arithmetic_v<Part>)
    return std::to_string(part);
  else
    return std::string(part);
}
template <class... Parts>
std::string text(const Parts&... parts) {
  return (std::string() + ... + text_of_part(parts));
}

}  // namespace kernels::emulator
