// Read to the last character.
#include "vit/cli/pair.h"

#include <fmt/format.h>

#include <cstdio>

#include "tensor/error.h"

namespace lookhere {

kernels::Grid parse_pair(const char* option, const std::string& text, long low, char separator) {
  kernels::Grid pair;
  int used = 0;
  const std::string format = fmt::format("%ld{}%ld%n", separator);
  const bool ok = std::sscanf(text.c_str(), format.c_str(), &pair.y, &pair.x, &used) == 2 &&
                  used == static_cast<int>(text.size()) && pair.y >= low && pair.x >= low && pair.y <= 512 &&
                  pair.x <= 512;
  check(ok, option, ": wanted two numbers from ", low, " to 512 such as 14", std::string(1, separator), "14, got '",
        text, "'");
  return pair;
}

}  // namespace lookhere
