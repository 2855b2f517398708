// Tiles: a framed image and two lines below it.
#include "vit/show/gallery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/error.h"
#include "vit/show/png.h"
#include "vit/show/svg.h"

namespace lookhere {
namespace {

constexpr double kMargin = 36, kHead = 84, kImage = 150, kFrame = 5, kGapX = 30, kGapY = 66;
constexpr const char *kRight = "#1a7f37", *kWrong = "#c4161c", *kUnknown = "#555555";

void draw_tile(Svg& svg, const Dataset& dataset, const Prediction& p) {
  const long label = dataset.labels[p.index];
  const bool known = label >= 0, right = label == p.predicted;
  const std::string color = !known ? kUnknown : right ? kRight : kWrong;
  std::vector<std::uint8_t> buffer;
  const Image image = dataset.read(p.index, buffer);
  const double longer = static_cast<double>(std::max(image.height, image.width));
  const double width = kImage * static_cast<double>(image.width) / longer;
  const double height = kImage * static_cast<double>(image.height) / longer;
  const double x = (kImage - width) / 2, y = (kImage - height) / 2;
  svg.rect(x - kFrame / 2, y - kFrame / 2, width + kFrame, height + kFrame,
           {.stroke = color, .width = kFrame, .rounded = 4});
  svg.image(x, y, width, height, png_of(image), longer < kImage);

  const std::string percent = fmt::format("{:.0f} %", 100 * static_cast<double>(p.probability));
  const double room = kImage - text_width(percent, 16) - 10;
  svg.text(-kFrame, kImage + 26,
           (!known  ? ""
            : right ? "✓ "
                    : "✗ ") +
               dataset.class_names[p.predicted],
           {.size = 16, .color = color, .bold = true, .max_width = room});
  svg.text(kImage + kFrame, kImage + 26, percent, {.size = 16, .anchor = "end", .color = color});
  if (known && !right)
    svg.text(-kFrame, kImage + 46, "true: " + dataset.class_names[label],
             {.size = 15, .max_width = kImage + 2 * kFrame});
}

}  // namespace

std::string gallery_svg(const Dataset& dataset, const std::vector<Prediction>& predictions) {
  long right = 0, known = 0;
  for (const Prediction& p : predictions) {
    check(0 <= p.index && p.index < dataset.size(), dataset.name, ": no image ", p.index, " of ", dataset.size());
    check(0 <= p.predicted && p.predicted < static_cast<long>(dataset.class_names.size()), dataset.name, ": no class ",
          p.predicted, " of ", dataset.class_names.size());
    right += dataset.labels[p.index] == p.predicted;
    known += dataset.labels[p.index] >= 0;
  }
  const auto count = static_cast<long>(predictions.size());
  // As wide as a slide: columns to rows about 16 to 9.
  const long columns = std::clamp(static_cast<long>(std::ceil(std::sqrt(2.2 * static_cast<double>(count)))), 4L, 12L);
  const long rows = std::max((count + columns - 1) / columns, 1L);
  const double width = 2 * kMargin + static_cast<double>(columns) * (kImage + kGapX) - kGapX;
  const double height = kHead + static_cast<double>(rows) * (kImage + kGapY) + kMargin / 2;

  const std::string score = known ? fmt::format("{} of {} right", right, known) : fmt::format("{} answers", count);
  Svg svg(width, height, dataset.name + ": " + score);
  svg.text(kMargin, 46, dataset.name + ": " + score, {.size = 24, .bold = true, .max_width = width - 2 * kMargin});
  for (long i = 0; i < count; ++i)
    svg.group(kMargin + static_cast<double>(i % columns) * (kImage + kGapX),
              kHead + static_cast<double>(i / columns) * (kImage + kGapY),
              [&] { draw_tile(svg, dataset, predictions[i]); });
  return svg.str();
}

}  // namespace lookhere
