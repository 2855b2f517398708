// Round numbers along an axis.
#pragma once
#include <string>
#include <vector>

namespace lookhere {

struct Ticks {
  std::vector<double> values;  // multiples of 1, 2 or 5 times a power of ten
  std::vector<std::string> labels;
};

// At most `most` + 1 ticks within [low, high], low < high; whole: no fractions, as for epochs.
Ticks nice_ticks(double low, double high, long most, bool whole = false);

}  // namespace lookhere
