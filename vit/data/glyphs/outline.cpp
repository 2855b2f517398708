// Outlines are placed in f64 and handed over to FreeType in its 1/64 pixels: no hinting, so that every resolution shows
// the same scene.
#include "vit/data/glyphs/outline.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "tensor/error.h"

namespace lookhere {

HalfBox half_box(const Outline& outline, double angle) {
  const double c = std::cos(angle), s = std::sin(angle);
  HalfBox half{0, 0};
  for (const Outline::Point& p : outline.points) {
    half.x = std::max(half.x, std::abs(c * p.x - s * p.y));
    half.y = std::max(half.y, std::abs(s * p.x + c * p.y));
  }
  return half;
}

Rasterizer::Rasterizer() { check(FT_Init_FreeType(&library_) == 0, "glyphs: FreeType cannot be started"); }
Rasterizer::~Rasterizer() { FT_Done_FreeType(library_); }

const std::vector<std::uint8_t>& Rasterizer::coverage(const Outline& outline, const GlyphPlace& place, long size) {
  constexpr double kUnits = 64;
  const double side = static_cast<double>(size) * kUnits;
  const double c = std::cos(place.angle) * place.size * side, s = std::sin(place.angle) * place.size * side;
  std::vector<FT_Vector> points;
  std::vector<std::remove_pointer_t<decltype(FT_Outline::tags)>> tags;
  points.reserve(outline.points.size()), tags.reserve(outline.points.size());
  for (const Outline::Point& p : outline.points) {
    points.push_back({.x = std::lround(place.x * side + c * p.x - s * p.y),
                      .y = std::lround((1 - place.y) * side + s * p.x + c * p.y)});
    tags.push_back(static_cast<std::remove_pointer_t<decltype(FT_Outline::tags)>>(p.tag));
  }
  std::vector<std::remove_pointer_t<decltype(FT_Outline::contours)>> ends(outline.ends.begin(), outline.ends.end());
  FT_Outline shape{};
  shape.n_contours = static_cast<decltype(shape.n_contours)>(ends.size());
  shape.n_points = static_cast<decltype(shape.n_points)>(points.size());
  shape.points = points.data(), shape.tags = tags.data(), shape.contours = ends.data(), shape.flags = outline.flags;
  coverage_.assign(size * size, 0);
  FT_Bitmap bitmap{};
  bitmap.rows = bitmap.width = static_cast<unsigned>(size);
  bitmap.pitch = static_cast<int>(size);
  bitmap.buffer = coverage_.data();
  bitmap.num_grays = 256;
  bitmap.pixel_mode = FT_PIXEL_MODE_GRAY;
  const FT_Error error = FT_Outline_Get_Bitmap(library_, &shape, &bitmap);
  check(error == 0, "glyphs: FreeType cannot draw a glyph at ", size, " pixels: its error ", error);
  return coverage_;
}

}  // namespace lookhere
