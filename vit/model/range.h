// The range of a number that users may give.
#pragma once
#include <cmath>
#include <limits>
#include <string>

#include "tensor/error.h"

namespace lookhere {

// The smallest and the largest value, both allowed. {}: any.
struct Range {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
};

// Throws Error naming the option. Limits are below 2^53, so whole numbers are compared exactly as well, and shown as
// whole numbers.
template <class T>
void check_range(const std::string& name, const Range& range, const T& value) {
  const auto number = static_cast<double>(value);
  if (range.low == Range().low && range.high == Range().high) return;
  if (std::isinf(range.high))
    check(number >= range.low, name, ": wanted at least ", static_cast<T>(range.low), ", got ", value);
  else
    check(number >= range.low && number <= range.high, name, ": wanted ", static_cast<T>(range.low), " to ",
          static_cast<T>(range.high), ", got ", value);
}

}  // namespace lookhere
