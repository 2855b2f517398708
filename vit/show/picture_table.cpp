// Measures of the table.
#include "vit/show/picture_table.h"

#include <algorithm>

#include "vit/show/png.h"
#include "vit/show/svg.h"

namespace lookhere {
namespace {

constexpr double kSide = 104, kGap = 14, kCaption = 24, kTop = 66, kMargin = 16, kNameSize = 15, kOpacity = 0.6;

}  // namespace

std::string picture_table(const std::string& title, const std::vector<std::string>& columns,
                          const std::vector<PictureRow>& rows) {
  double names = 0;
  for (const PictureRow& row : rows) names = std::max(names, text_width(row.name, kNameSize, true));
  const double left = kMargin + std::min(names, 260.0) + kGap;
  const auto column = [&](std::size_t c) { return left + static_cast<double>(c) * (kSide + kGap); };
  const double width = std::max(column(columns.size()) - kGap + kMargin, 320.0);
  Svg svg(width, kTop + static_cast<double>(rows.size()) * (kSide + kCaption) + kMargin, title);
  svg.text(kMargin, 26, title, {.size = 18, .bold = true, .max_width = width - 2 * kMargin});
  for (std::size_t c = 0; c < columns.size(); ++c)
    svg.text(column(c) + kSide / 2, kTop - 10, columns[c], {.size = 14, .anchor = "middle", .max_width = kSide + kGap});
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const double top = kTop + static_cast<double>(r) * (kSide + kCaption);
    svg.text(kMargin, top + kSide / 2, rows[r].name, {.size = kNameSize, .bold = true, .max_width = 260});
    for (std::size_t c = 0; c < rows[r].pictures.size(); ++c)
      svg.group(column(c), top, [&] {
        const SmallPicture& p = rows[r].pictures[c];
        if (!p.png.empty()) svg.image(0, 0, kSide, kSide, p.png, true);
        if (!p.over.empty()) svg.image(0, 0, kSide, kSide, p.over, true, kOpacity);
        svg.rect(0, 0, kSide, kSide, {.stroke = "#8a8a8a"});
        svg.text(kSide / 2, kSide + 15, p.caption,
                 {.size = 12, .anchor = "middle", .color = "#444444", .max_width = kSide + kGap});
      });
  }
  return svg.str();
}

std::string grey_png(const Image& image) {
  const long size = image.height * image.width;
  std::vector<std::uint8_t> grey(image.pixels, image.pixels + size);
  if (image.channels >= 3)
    for (long i = 0; i < size; ++i)
      grey[i] = static_cast<std::uint8_t>(
          (299 * image.pixels[i] + 587 * image.pixels[size + i] + 114 * image.pixels[2 * size + i]) / 1000);
  return png_bytes(grey, image.height, image.width, 1);
}

}  // namespace lookhere
