// Line charts as SVG: the training curve.
#pragma once
#include <string>
#include <vector>

namespace lookhere {

struct Series {
  std::string name;
  std::vector<double> x, y;  // of the same length; a point that is not finite is a gap
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
};

// The charts side by side. Throws Error where x and y of a series differ in length.
std::string line_charts(const std::vector<Chart>& charts);

}  // namespace lookhere
