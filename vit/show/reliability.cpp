// Bars over [0, 1], and under them a second row for their sizes.
#include "vit/show/reliability.h"

#include <fmt/format.h>

#include <algorithm>

#include "vit/show/svg.h"
#include "vit/show/ticks.h"

namespace lookhere {
namespace {

constexpr double kLeft = 82, kTop = 64, kSide = 340, kBetween = 18, kShares = 60, kRight = 24, kBelow = 64;
constexpr double kTickSize = 15, kLabelSize = 16;
constexpr const char *kRightColor = "#0072b2", *kGapColor = "#f3bc99", *kGapEdge = "#d55e00", *kShareColor = "#999999";
const Ink kGrid{.stroke = "#e4e4e4"}, kAxis{.stroke = "#555555", .width = 1.5};

void draw_grid(Svg& svg) {
  const Ticks ticks = nice_ticks(0, 1, 5);
  for (std::size_t i = 0; i < ticks.values.size(); ++i) {
    const double at = ticks.values[i] * kSide;
    svg.line({at, 0}, {at, kSide}, kGrid);
    svg.line({0, kSide - at}, {kSide, kSide - at}, kGrid);
    svg.text(at, kSide + kBetween + kShares + 22, ticks.labels[i], {.size = kTickSize, .anchor = "middle"});
    svg.text(-10, kSide - at + 5, ticks.labels[i], {.size = kTickSize, .anchor = "end"});
  }
}

void draw_bins(Svg& svg, const Calibration& calibration) {
  const double width = kSide / static_cast<double>(calibration.bins.size());
  long most = 1;
  for (const Calibration::Bin& bin : calibration.bins) most = std::max(most, bin.count);
  double x = 0;
  for (const Calibration::Bin& bin : calibration.bins) {
    if (bin.count > 0) {
      const double right = bin.accuracy * kSide, sure = bin.confidence * kSide;
      svg.rect(x + 1, kSide - right, width - 2, right, {.fill = kRightColor});
      svg.rect(x + 1, kSide - std::max(right, sure), width - 2, std::abs(right - sure),
               {.fill = kGapColor, .stroke = kGapEdge});
      const double share = kShares * static_cast<double>(bin.count) / static_cast<double>(most);
      svg.rect(x + 1, kSide + kBetween + kShares - share, width - 2, share, {.fill = kShareColor});
    }
    x += width;
  }
}

}  // namespace

std::string reliability_diagram(const Calibration& calibration, const std::string& confidence) {
  const double bottom = kSide + kBetween + kShares;
  const std::string title =
      fmt::format("Reliability: ECE {:.2f} % of {} images", 100 * calibration.expected_error(), calibration.count());
  Svg svg(kLeft + kSide + kRight, kTop + bottom + kBelow, title);
  svg.text(kLeft - 62, 28, title, {.size = 18, .bold = true, .max_width = kLeft + kSide});
  svg.rect(kLeft, 40, 14, 14, {.fill = kRightColor});
  svg.text(kLeft + 20, 52, "right", {.size = kTickSize});
  svg.rect(kLeft + 76, 40, 14, 14, {.fill = kGapColor, .stroke = kGapEdge});
  svg.text(kLeft + 96, 52, "gap to the confidence", {.size = kTickSize});
  svg.group(kLeft, kTop, [&] {
    draw_grid(svg);
    draw_bins(svg, calibration);
    svg.line({0, kSide}, {kSide, 0}, kAxis);
    svg.line({0, kSide}, {kSide, kSide}, kAxis);
    svg.line({0, 0}, {0, kSide}, kAxis);
    svg.line({0, bottom}, {kSide, bottom}, kAxis);
    svg.text(kSide / 2, bottom + 48, "confidence (" + confidence + ")", {.size = kLabelSize, .anchor = "middle"});
    svg.text(-54, kSide / 2, "accuracy", {.size = kLabelSize, .anchor = "middle", .turn = -90});
    svg.text(-10, kSide + kBetween + kShares / 2 + 5, "share", {.size = kTickSize, .anchor = "end"});
  });
  return svg.str();
}

}  // namespace lookhere
