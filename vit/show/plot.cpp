// Axes, grid, legend and lines.
#include "vit/show/plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/error.h"
#include "vit/show/svg.h"
#include "vit/show/ticks.h"

namespace lookhere {
namespace {

constexpr double kWidth = 580, kLeft = 82, kRight = 24, kPlotHeight = 300, kBelow = 64, kTitle = 52, kLegendRow = 24;
constexpr double kTickSize = 15, kLabelSize = 16, kLegendSize = 16;
constexpr std::size_t kAFew = 6;
constexpr std::size_t kMarkerShapes = 5, kMarkers = 30;  // series up to this length have one at every point
// Okabe and Ito's, told apart by colour-blind readers too.
constexpr std::array kColors{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};
const Ink kGrid{.stroke = "#e4e4e4"}, kAxis{.stroke = "#555555", .width = 1.5};

bool is_point(const Series& s, std::size_t i) { return std::isfinite(s.x[i]) && std::isfinite(s.y[i]); }
double error_of(const Series& s, std::size_t i) {
  return i < s.error.size() && std::isfinite(s.error[i]) ? s.error[i] : 0;
}

// What tells the series of one chart apart.
struct Style {
  std::string color;
  std::size_t marker;
  bool dashed;
  explicit Style(std::size_t index)
      : color(kColors[index % kColors.size()]), marker(index % kMarkerShapes), dashed(index / kColors.size() % 2) {}
};

void draw_marker(Svg& svg, Point p, const Style& style) {
  constexpr double r = 4.2;
  const Ink ink{.fill = style.color, .stroke = "#ffffff"};
  const auto polygon = [&](std::initializer_list<Point> corners) {
    std::string commands;
    for (const Point& c : corners)
      commands += (commands.empty() ? "M" : "L") + svg_number(p.x + c.x) + " " + svg_number(p.y + c.y);
    svg.path(commands + "Z", ink);
  };
  if (style.marker == 0) svg.circle(p, 3.5, ink);
  if (style.marker == 1) polygon({{-3.4, -3.4}, {3.4, -3.4}, {3.4, 3.4}, {-3.4, 3.4}});
  if (style.marker == 2) polygon({{0, -r}, {r, 3.4}, {-r, 3.4}});
  if (style.marker == 3) polygon({{0, -r - 0.6}, {r + 0.6, 0}, {0, r + 0.6}, {-r - 0.6, 0}});
  if (style.marker == 4) polygon({{0, r}, {r, -3.4}, {-r, -3.4}});
}

struct Axis {
  double low = 0, high = 1;
  bool whole = true, any = false;
  void include(double value) {
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    whole = whole && value == std::round(value);
    any = true;
  }
  void widen(double by) {
    const bool positive = low >= 0;
    low -= by, high += by;
    if (positive) low = std::max(low, 0.0);  // a loss has no room below 0
  }
  double place(double value) const { return (value - low) / (high - low); }
};

struct Axes {
  Axis x, y;
  explicit Axes(const Chart& chart) {
    for (const Series& s : chart.series)
      for (std::size_t i = 0; i < s.x.size(); ++i)
        if (is_point(s, i)) {
          const double error = error_of(s, i);
          x.include(s.x[i]), y.include(s.y[i] - error), y.include(s.y[i] + error);
        }
    for (const double value : chart.include_x) x.include(value);
    for (const double value : chart.include_y) y.include(value);
    if (x.low == x.high) x.low -= 0.5, x.high += 0.5;
    x.widen((x.high - x.low) * 0.02);
    // Relative to their size, so that equal values far from 0 differ from their border.
    y.widen(y.low == y.high ? std::max(std::abs(y.low) * 0.1, 1e-3) : (y.high - y.low) * 0.06);
  }
  Point place(double px, double py) const {
    return {x.place(px) * (kWidth - kLeft - kRight), (1 - y.place(py)) * kPlotHeight};
  }
};

struct LegendItem {
  double x;
  long row;
};
std::vector<LegendItem> legend_of(const Chart& chart) {
  std::vector<LegendItem> items;
  double x = 0;
  long row = 0;
  for (const Series& s : chart.series) {
    const double width = 34 + text_width(s.name, kLegendSize) + 22;
    if (x > 0 && x + width > kWidth - kLeft) x = 0, ++row;
    items.push_back({x, row});
    x += width;
  }
  return items;
}

void draw_axes(Svg& svg, const Chart& chart, const Axes& axes) {
  const double width = kWidth - kLeft - kRight;
  const Ticks xs = nice_ticks(axes.x.low, axes.x.high, 8, axes.x.whole), ys = nice_ticks(axes.y.low, axes.y.high, 6);
  for (std::size_t i = 0; i < xs.values.size(); ++i) {
    const double x = axes.place(xs.values[i], 0).x;
    svg.line({x, 0}, {x, kPlotHeight}, kGrid);
    svg.text(x, kPlotHeight + 22, xs.labels[i], {.size = kTickSize, .anchor = "middle", .max_width = 2 * kRight});
  }
  for (std::size_t i = 0; i < ys.values.size(); ++i) {
    const double y = axes.place(0, ys.values[i]).y;
    svg.line({0, y}, {width, y}, kGrid);
    svg.text(-10, y + 5, ys.labels[i], {.size = kTickSize, .anchor = "end", .max_width = kLeft - 38});
  }
  svg.line({0, kPlotHeight}, {width, kPlotHeight}, kAxis);
  svg.line({0, 0}, {0, kPlotHeight}, kAxis);
  svg.text(width / 2, kPlotHeight + 48, chart.x_label, {.size = kLabelSize, .anchor = "middle", .max_width = width});
  svg.text(-62, kPlotHeight / 2, chart.y_label,
           {.size = kLabelSize, .anchor = "middle", .turn = -90, .max_width = kPlotHeight});
}

void draw_series(Svg& svg, const Series& s, const Axes& axes, const Style& style) {
  for (std::size_t i = 0; i < s.x.size(); ++i)
    if (is_point(s, i) && error_of(s, i) > 0) {
      const Point low = axes.place(s.x[i], s.y[i] - error_of(s, i)), high = axes.place(s.x[i], s.y[i] + error_of(s, i));
      svg.line(low, high, {.stroke = style.color, .width = 1.2});
      for (const Point& end : {low, high}) svg.line({end.x - 4, end.y}, {end.x + 4, end.y}, {.stroke = style.color});
    }
  std::vector<Point> run;
  for (std::size_t i = 0; i <= s.x.size(); ++i) {
    if (i < s.x.size() && is_point(s, i)) {
      run.push_back(axes.place(s.x[i], s.y[i]));
      continue;
    }
    if (run.size() > 1) svg.polyline(run, {.stroke = style.color, .width = 2.5, .dashed = style.dashed});
    if (run.size() == 1 || s.x.size() <= kMarkers)  // a point between gaps would be invisible
      for (const Point& p : run) draw_marker(svg, p, style);
    run.clear();
  }
}

void draw_chart(Svg& svg, const Chart& chart, double plot_top) {
  svg.text(kLeft, 34, chart.title, {.size = 20, .bold = true, .max_width = kWidth - kLeft - kRight});
  const std::vector<LegendItem> legend = legend_of(chart);
  const Axes axes(chart);
  for (std::size_t i = 0; i < legend.size(); ++i) {
    const double x = kLeft + legend[i].x, y = kTitle + kLegendRow * (static_cast<double>(legend[i].row) + 0.5);
    const Style style(i);
    svg.line({x, y}, {x + 26, y}, {.stroke = style.color, .width = 2.5, .dashed = style.dashed});
    draw_marker(svg, {x + 13, y}, style);
    svg.text(x + 34, y + 5, chart.series[i].name, {.size = kLegendSize, .max_width = kWidth - kRight - x - 34});
  }
  svg.group(kLeft, plot_top, [&] {
    const double width = kWidth - kLeft - kRight;
    if (axes.x.any)
      draw_axes(svg, chart, axes);
    else
      svg.text(width / 2, kPlotHeight / 2, "no data yet", {.size = 18, .anchor = "middle", .color = "#777777"});
    for (std::size_t i = 0; i < chart.series.size(); ++i) draw_series(svg, chart.series[i], axes, Style(i));
  });
}

}  // namespace

std::string line_charts(const std::vector<Chart>& charts) {
  long rows = 0;
  std::string title;
  for (const Chart& chart : charts) {
    for (const Series& s : chart.series) {
      check(s.x.size() == s.y.size(), "line_charts: series '", s.name, "' has ", s.x.size(), " x and ", s.y.size(),
            " y values");
      check(s.error.empty() || s.error.size() == s.x.size(), "line_charts: series '", s.name, "' has ", s.x.size(),
            " points and ", s.error.size(), " errors");
    }
    title += (title.empty() ? "" : ", ") + chart.title;
    for (const LegendItem& item : legend_of(chart)) rows = std::max(rows, item.row + 1);
  }
  const double plot_top = kTitle + kLegendRow * static_cast<double>(rows) + 16;  // the same for all: axes line up
  const double count = std::max(1.0, static_cast<double>(charts.size()));
  Svg svg(kWidth * count, plot_top + kPlotHeight + kBelow, title);
  for (std::size_t i = 0; i < charts.size(); ++i)
    svg.group(kWidth * static_cast<double>(i), 0, [&] { draw_chart(svg, charts[i], plot_top); });
  return svg.str();
}

std::vector<std::string> charts_of_a_few(const Chart& chart) {
  Chart frame = chart;
  frame.series.clear();
  for (const Series& s : chart.series)
    for (std::size_t i = 0; i < s.x.size(); ++i)
      if (is_point(s, i)) {
        frame.include_x.push_back(s.x[i]);
        for (const double sign : {-1, 1}) frame.include_y.push_back(s.y[i] + sign * error_of(s, i));
      }
  std::vector<std::string> charts;
  const std::size_t count = chart.series.size();
  for (std::size_t begin = 1; count > 0 && (begin == 1 || begin < count); begin += kAFew - 1) {
    Chart some = frame;
    some.series.push_back(chart.series[0]);
    for (std::size_t i = begin; i < std::min(begin + kAFew - 1, count); ++i) some.series.push_back(chart.series[i]);
    charts.push_back(line_charts({some}));
  }
  return charts;
}

}  // namespace lookhere
