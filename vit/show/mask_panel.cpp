// Colours go into a PNG, so that 64×64 patches stay small; lines and numbers are drawn over it.
#include "vit/show/mask_panel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "vit/show/png.h"
#include "vit/show/ticks.h"

namespace lookhere {
namespace {

using kernels::Grid;
using Rgb = std::array<double, 3>;

// Ten even steps of matplotlib's viridis, which is even to the eye, also without colour.
constexpr std::array<Rgb, 10> kViridis{{{68, 1, 84},
                                        {72, 40, 120},
                                        {62, 74, 137},
                                        {49, 104, 142},
                                        {38, 130, 142},
                                        {31, 158, 137},
                                        {53, 183, 121},
                                        {109, 205, 89},
                                        {180, 222, 44},
                                        {253, 231, 37}}};
constexpr Rgb kUnseen{236, 236, 236};
constexpr double kSharp = 2;               // pixels of the PNG per unit, since some programs smooth what they enlarge
constexpr double kGridLinesFrom = 5;       // smallest cell with lines in between
constexpr double kNumbersFrom = 27;        // smallest cell with its number
constexpr const char* kQuery = "#e6007e";  // a hue that viridis does not have

Rgb color_of(double penalty, double largest) {
  if (std::isinf(penalty)) return kUnseen;
  const double t = largest > 0 ? std::clamp(1 - penalty / largest, 0.0, 1.0) * 9 : 9;
  const auto below = std::min(static_cast<std::size_t>(t), kViridis.size() - 2);
  Rgb color{};
  for (std::size_t c = 0; c < 3; ++c)
    color[c] = std::round(kViridis[below][c] +
                          (t - static_cast<double>(below)) * (kViridis[below + 1][c] - kViridis[below][c]));
  return color;
}

// Two digits below 1: in a cell there is room for four characters.
std::string number(double penalty) {
  return penalty < 1 ? fmt::format("{:.2g}", std::abs(penalty)) : fmt::format("{:.3g}", penalty);
}

// Unseen patches, one rectangle for each run in a row.
std::string unseen_path(const std::vector<double>& penalties, Grid grid, double cell) {
  std::string path;
  for (long y = 0; y < grid.y; ++y)
    for (long x = 0; x < grid.x;) {
      const long begin = x;
      while (x < grid.x && std::isinf(penalties[y * grid.x + x])) ++x;
      if (x > begin)
        path +=
            fmt::format("M{} {}h{}v{}h-{}z", svg_number(static_cast<double>(begin) * cell),
                        svg_number(static_cast<double>(y) * cell), svg_number(static_cast<double>(x - begin) * cell),
                        svg_number(cell), svg_number(static_cast<double>(x - begin) * cell));
      else
        ++x;
    }
  return path;
}

std::string grid_path(Grid grid, double cell) {
  std::string path;
  const double width = static_cast<double>(grid.x) * cell, height = static_cast<double>(grid.y) * cell;
  for (long y = 1; y < grid.y; ++y)
    path += fmt::format("M0 {}h{}", svg_number(static_cast<double>(y) * cell), svg_number(width));
  for (long x = 1; x < grid.x; ++x)
    path += fmt::format("M{} 0v{}", svg_number(static_cast<double>(x) * cell), svg_number(height));
  return path;
}

}  // namespace

std::string colored_png(const std::vector<double>& penalties, Grid grid, double cell, double largest) {
  const long scale = std::max(1L, static_cast<long>(std::ceil(cell * kSharp))), width = grid.x * scale;
  std::vector<std::uint8_t> pixels;
  pixels.reserve(static_cast<std::size_t>(3 * grid.y * scale * width));
  for (long y = 0; y < grid.y; ++y) {
    std::vector<std::uint8_t> row;
    for (long x = 0; x < grid.x; ++x) {
      const Rgb color = color_of(penalties[y * grid.x + x], largest);
      for (long i = 0; i < scale; ++i)
        for (const double c : color) row.push_back(static_cast<std::uint8_t>(c));
    }
    for (long i = 0; i < scale; ++i) pixels.insert(pixels.end(), row.begin(), row.end());
  }
  return png_bytes(pixels, grid.y * scale, width, 3);
}

// Within its patch, so that the neighbours' numbers stay readable; larger only where patches are tiny.
void draw_query(Svg& svg, double center_x, double center_y, double cell) {
  const double size = std::max(cell, 9.0), thick = std::clamp(size / 7, 1.8, 4.0);
  const auto frame = [&](double inset, const char* color, double width) {
    const double side = size - 2 * inset;
    svg.rect(center_x - side / 2, center_y - side / 2, side, side, {.stroke = color, .width = width});
  };
  frame(thick * 1.1, "#ffffff", thick * 0.8);
  frame(thick / 2, kQuery, thick);
}

void draw_unseen(Svg& svg, const std::vector<double>& penalties, Grid grid, double cell) {
  const std::string unseen = unseen_path(penalties, grid, cell);
  if (!unseen.empty()) svg.path(unseen, {.fill = "url(#unseen)"});
}

std::vector<double> penalties(const kernels::LookHereHead& head, Grid grid, long query_row, long query_column) {
  std::vector<double> values;
  for (long y = 0; y < grid.y; ++y)
    for (long x = 0; x < grid.x; ++x) values.push_back(-head.bias(grid, query_row, query_column, y, x));
  return values;
}

std::string penalty_color(double penalty, double largest) {
  const Rgb c = color_of(penalty, largest);
  return fmt::format("#{:02x}{:02x}{:02x}", static_cast<int>(c[0]), static_cast<int>(c[1]), static_cast<int>(c[2]));
}

void define_mask_patterns(Svg& svg) {
  svg.define(
      "<pattern id=\"unseen\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">"
      "<path d=\"M-2 2L2 -2M-2 10L10 -2M6 10L10 6\" stroke=\"#a8a8a8\" stroke-width=\"1.3\"/></pattern>");
  std::string stops;  // from the top, the largest penalty, downwards
  for (std::size_t i = 0; i < kViridis.size(); ++i)
    stops += fmt::format("<stop offset=\"{}\" stop-color=\"{}\"/>", svg_number(static_cast<double>(i) / 9),
                         penalty_color(9 - static_cast<double>(i), 9));
  svg.define("<linearGradient id=\"penalty\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"1\">" + stops + "</linearGradient>");
}

void draw_mask(Svg& svg, const std::vector<double>& penalties, Grid grid, long query_row, long query_column,
               double cell, double largest) {
  const double width = static_cast<double>(grid.x) * cell, height = static_cast<double>(grid.y) * cell;
  svg.image(0, 0, width, height, colored_png(penalties, grid, cell, largest), true);
  draw_unseen(svg, penalties, grid, cell);
  if (cell >= kGridLinesFrom) svg.path(grid_path(grid, cell), {.stroke = "#ffffff", .width = cell < 12 ? 0.75 : 1.25});
  svg.rect(0, 0, width, height, {.stroke = "#8a8a8a"});
  draw_query(svg, (static_cast<double>(query_column) + 0.5) * cell, (static_cast<double>(query_row) + 0.5) * cell,
             cell);
  for (long i = 0; cell >= kNumbersFrom && i < grid.patches(); ++i) {
    if (std::isinf(penalties[i])) continue;
    const bool dark = largest > 0 && penalties[i] > 0.45 * largest;
    svg.text((static_cast<double>(i % grid.x) + 0.5) * cell,
             (static_cast<double>(i / grid.x) + 0.5) * cell + cell * 0.13, number(penalties[i]),
             {.size = std::min(cell * 0.36, 24.0),
              .anchor = "middle",
              .color = dark ? "#ffffff" : "#222222",
              .max_width = cell * 0.86});
  }
}

void draw_mask_legend(Svg& svg, double largest) {
  constexpr double kTop = 48, kHeight = 260, kBarWidth = 34;
  svg.text(0, 6, "penalty subtracted", {.size = 16, .bold = true});
  svg.text(0, 26, "from the logit", {.size = 16, .bold = true});
  svg.rect(0, kTop, kBarWidth, kHeight, {.fill = "url(#penalty)", .stroke = "#8a8a8a"});
  const Ticks ticks = nice_ticks(0, largest > 0 ? largest : 1, 6);
  for (std::size_t i = 0; i < ticks.values.size(); ++i) {
    const double y = kTop + kHeight * (1 - ticks.values[i] / (largest > 0 ? largest : 1));
    svg.line({kBarWidth, y}, {kBarWidth + 7, y}, {.stroke = "#555555", .width = 1.5});
    svg.text(kBarWidth + 13, y + 5.5, ticks.labels[i], {.size = 16});
  }
  const double query = kTop + kHeight + 32, unseen = query + 50;
  svg.rect(2, query, 26, 26, {.fill = penalty_color(0, 1)});
  draw_query(svg, 15, query + 13, 26);
  svg.text(47, query + 19, "query patch", {.size = 16});
  svg.rect(0, unseen, 30, 30, {.fill = "#ececec"});
  svg.rect(0, unseen, 30, 30, {.fill = "url(#unseen)", .stroke = "#8a8a8a"});
  svg.text(47, unseen + 21, "not seen", {.size = 16});
}

}  // namespace lookhere
