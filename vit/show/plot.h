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
  std::vector<double> include_x = {}, include_y = {};  // axes reach so far in any case, as those of a chart beside it
};

// The charts side by side. Series differ in colour and in their markers, from the seventh on also in dashes. Throws
// Error where x and y of a series differ in length.
std::string line_charts(const std::vector<Chart>& charts);
// The chart in as many as it takes for lines to be told apart, each with the first series, to compare with, and with
// the same axes. None without series.
std::vector<std::string> charts_of_a_few(const Chart& chart);

}  // namespace lookhere
