// The range of a number that users may give.
#pragma once
#include <limits>

namespace lookhere {

// The smallest and the largest value, both allowed. {}: any.
struct Range {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
};

}  // namespace lookhere
