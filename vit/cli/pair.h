// Options that are two numbers.
#pragma once
#include <string>

#include "kernels/attention/field_of_view.h"

namespace lookhere {

// "14x14" or "3,4" → two numbers from `low` to 512. Throws Error, naming the option, for all else.
kernels::Grid parse_pair(const char* option, const std::string& text, long low, char separator);

}  // namespace lookhere
