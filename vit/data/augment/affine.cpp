// The nearest pixel in Pillow's 16-bit fixed point; what lies between pixels in double, cut off to whole numbers.
#include "vit/data/augment/affine.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lookhere {
namespace {

void take_nearest(Picture& picture, const Picture& from, const std::array<double, 6>& m) {
  const auto fixed = [](double value) { return static_cast<long>(std::floor(value * 65536.0 + 0.5)); };
  const long x_by_x = fixed(m[0]), x_by_y = fixed(m[1]), y_by_x = fixed(m[3]), y_by_y = fixed(m[4]);
  const long x_first = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5), y_first = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
  const long plane = picture.plane();
  for (long y = 0; y < picture.height; ++y)
    for (long x = 0; x < picture.width; ++x) {
      const long from_x = (x_first + y * x_by_y + x * x_by_x) >> 16, from_y = (y_first + y * y_by_y + x * y_by_x) >> 16;
      if (from_x < 0 || from_x >= picture.width || from_y < 0 || from_y >= picture.height) continue;
      for (long c = 0; c < picture.channels; ++c)
        picture.pixels[c * plane + y * picture.width + x] = from.pixels[c * plane + from_y * picture.width + from_x];
    }
}

using Taps = std::array<double, 4>;
double between(const Taps& v, double at, Interpolation interpolation) {
  if (interpolation == Interpolation::bilinear) return v[0] + (v[1] - v[0]) * at;
  const double p2 = -v[0] + v[2], p3 = 2 * (v[0] - v[1]) + v[2] - v[3], p4 = -v[0] + v[1] - v[2] + v[3];
  return v[1] + at * (p2 + at * (p3 + at * p4));
}

// Pixels beyond the border are those of the border, for points that are in the picture.
void interpolate(Picture& picture, const Picture& from, const std::array<double, 6>& m, Interpolation interpolation) {
  const bool bilinear = interpolation == Interpolation::bilinear;
  const long taps = bilinear ? 2 : 4, before = bilinear ? 0 : 1, plane = picture.plane();
  const auto height = static_cast<double>(picture.height), width = static_cast<double>(picture.width);
  for (long y = 0; y < picture.height; ++y)
    for (long x = 0; x < picture.width; ++x) {
      const double to_x = static_cast<double>(x) + 0.5, to_y = static_cast<double>(y) + 0.5;
      const double from_x = m[0] * to_x + m[1] * to_y + m[2], from_y = m[3] * to_x + m[4] * to_y + m[5];
      if (!(0 <= from_x && from_x < width && 0 <= from_y && from_y < height)) continue;
      const double left = std::floor(from_x - 0.5), top = std::floor(from_y - 0.5);
      for (long c = 0; c < picture.channels; ++c) {
        Taps rows{};
        for (long i = 0; i < taps; ++i) {
          const long row = std::clamp(static_cast<long>(top) - before + i, 0L, picture.height - 1);
          const std::uint8_t* const pixels = from.pixels.data() + c * plane + row * picture.width;
          Taps values{};
          for (long k = 0; k < taps; ++k)
            values[k] = pixels[std::clamp(static_cast<long>(left) - before + k, 0L, picture.width - 1)];
          rows[i] = between(values, from_x - 0.5 - left, interpolation);
        }
        const double value = between(rows, from_y - 0.5 - top, interpolation);
        picture.pixels[c * plane + y * picture.width + x] = static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
      }
    }
}

}  // namespace

void affine(Picture& picture, const std::array<double, 6>& m, const Sampling& sampling) {
  const Picture from = picture;
  for (long c = 0; c < picture.channels; ++c)
    std::fill_n(picture.pixels.begin() + c * picture.plane(), picture.plane(),
                sampling.fill.empty() ? std::uint8_t{0} : sampling.fill.at(c));
  if (sampling.interpolation)
    interpolate(picture, from, m, *sampling.interpolation);
  else
    take_nearest(picture, from, m);
}

void rotate(Picture& picture, double degrees, const Sampling& sampling) {
  const auto rounded = [](double value) { return std::round(value * 1e15) / 1e15; };
  const double angle = -degrees * std::numbers::pi / 180, cos = rounded(std::cos(angle)),
               sin = rounded(std::sin(angle));
  const double x = static_cast<double>(picture.width) / 2, y = static_cast<double>(picture.height) / 2;
  affine(picture, {cos, sin, -cos * x - sin * y + x, -sin, cos, sin * x - cos * y + y}, sampling);
}

}  // namespace lookhere
