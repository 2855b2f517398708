// Measures of the table.
#include "vit/show/picture_table.h"

#include <algorithm>
#include <map>
#include <span>

#include "vit/show/png.h"
#include "vit/show/svg.h"

namespace lookhere {
namespace {

constexpr double kSide = 104, kGap = 14, kName = 24, kCaption = 26, kTop = 60, kMargin = 16;
constexpr double kRow = kName + kSide + kCaption, kOpacity = 0.6;
constexpr std::size_t kMostRows = 5;  // leaves room for a heading and a paragraph on a printed page

// A row's name stands above it: beside it, a long one would take the pictures' room.
std::string picture_table(const std::string& title, const std::vector<std::string>& columns,
                          std::span<const PictureRow> rows) {
  const auto column = [](std::size_t c) { return kMargin + static_cast<double>(c) * (kSide + kGap); };
  const double width = std::max(column(columns.size()) - kGap + kMargin, 320.0);
  Svg svg(width, kTop + static_cast<double>(rows.size()) * kRow + kMargin, title);
  std::map<std::string, std::string> ids;  // several models look at the same image
  const auto draw_once = [&](const std::string& png) {
    const auto [found, is_new] = ids.try_emplace(png, "image" + std::to_string(ids.size()));
    if (is_new) svg.define_image(found->second, kSide, kSide, png, true);
    svg.use(found->second);
  };
  svg.text(kMargin, 26, title, {.size = 18, .bold = true, .max_width = width - 2 * kMargin});
  for (std::size_t c = 0; c < columns.size(); ++c)
    svg.text(column(c) + kSide / 2, kTop - 8, columns[c], {.size = 14, .anchor = "middle", .max_width = kSide + kGap});
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const double top = kTop + static_cast<double>(r) * kRow;
    svg.text(kMargin, top + kName - 8, rows[r].name, {.size = 15, .bold = true, .max_width = width - 2 * kMargin});
    for (std::size_t c = 0; c < rows[r].pictures.size(); ++c)
      svg.group(column(c), top + kName, [&] {
        const SmallPicture& p = rows[r].pictures[c];
        if (!p.png.empty()) draw_once(p.png);
        if (!p.over.empty()) svg.image(0, 0, kSide, kSide, p.over, true, kOpacity);
        svg.rect(0, 0, kSide, kSide, {.stroke = "#8a8a8a"});
        svg.text(kSide / 2, kSide + 15, p.caption,
                 {.size = 12, .anchor = "middle", .color = "#444444", .max_width = kSide + kGap});
      });
  }
  return svg.str();
}

}  // namespace

std::vector<std::string> picture_tables(const std::string& title, const std::vector<std::string>& columns,
                                        const std::vector<PictureRow>& rows) {
  const std::size_t count = (rows.size() + kMostRows - 1) / kMostRows;
  std::vector<std::string> tables;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = i * rows.size() / count, end = (i + 1) * rows.size() / count;
    tables.push_back(picture_table(title, columns, std::span(rows).subspan(begin, end - begin)));
  }
  return tables;
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
