// Line charts as SVG: training curves, accuracy by image size.
#pragma once
#include <string>
#include <vector>

namespace lookhere {

struct Series {
  std::string name;
  std::vector<double> x, y;        // of the same length; a point that is not finite is a gap
  std::vector<double> error = {};  // if any: as long; half the height of the bar at each point
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  std::vector<double> include_y = {};  // the axis reaches so far in any case, as that of a chart beside it
};

// Series differ in colour and in their markers, from the seventh on also in dashes. // The charts side by side. Throws
// Error where x and y of a series differ in length.
std::string line_charts(const std::vector<Chart>& charts);

}  // namespace lookhere
