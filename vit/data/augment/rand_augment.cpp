// Strengths in float, as torch.linspace has them; affine maps take the nearest pixel, in Pillow's 16-bit fixed point.
#include "vit/data/augment/rand_augment.h"

#include <array>
#include <cmath>
#include <numbers>

#include "vit/data/augment/colour.h"
#include "vit/data/augment/levels.h"

namespace lookhere {
namespace {

// Value `level` of torch.linspace(begin, end, kRandAugmentLevels).
float strength(float begin, float end, int level) {
  const float step = (end - begin) / (kRandAugmentLevels - 1);
  return level < kRandAugmentLevels / 2 ? begin + step * static_cast<float>(level)
                                        : end - step * static_cast<float>(kRandAugmentLevels - 1 - level);
}

// The pixel at (x, y) becomes that at (m0 x + m1 y + m2, m3 x + m4 y + m5), in coordinates of pixels' corners.
void affine(Picture& picture, const std::array<double, 6>& m) {
  const auto fixed = [](double value) { return static_cast<long>(std::floor(value * 65536.0 + 0.5)); };
  const long x_by_x = fixed(m[0]), x_by_y = fixed(m[1]), y_by_x = fixed(m[3]), y_by_y = fixed(m[4]);
  const long x_first = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5), y_first = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
  const Picture from = picture;
  const long plane = picture.plane();
  for (long y = 0; y < picture.height; ++y)
    for (long x = 0; x < picture.width; ++x) {
      const long from_x = (x_first + y * x_by_y + x * x_by_x) >> 16, from_y = (y_first + y * y_by_y + x * y_by_x) >> 16;
      const bool inside = 0 <= from_x && from_x < picture.width && 0 <= from_y && from_y < picture.height;
      for (long c = 0; c < picture.channels; ++c)
        picture.pixels[c * plane + y * picture.width + x] =
            inside ? from.pixels[c * plane + from_y * picture.width + from_x] : std::uint8_t{0};
    }
}

void shift(Picture& picture, long x, long y) {
  affine(picture, {1, 0, -static_cast<double>(x), 0, 1, -static_cast<double>(y)});
}

// Counterclockwise about the centre.
void rotate(Picture& picture, double degrees) {
  const double angle = -degrees * std::numbers::pi / 180, cos = std::cos(angle), sin = std::sin(angle);
  const double x = static_cast<double>(picture.width) / 2, y = static_cast<double>(picture.height) / 2;
  affine(picture, {cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y});
}

}  // namespace

void rand_augment_operation(Picture& picture, int operation, int level, bool negative) {
  const double sign = negative ? -1 : 1;
  const auto up_to = [&](double most) { return sign * strength(0, static_cast<float>(most), level); };
  const auto pixels = [&](long side) { return static_cast<long>(up_to(150.0 / 331.0 * static_cast<double>(side))); };
  switch (operation) {
    case 1:
      return affine(picture, {1, up_to(0.3), 0, 0, 1, 0});
    case 2:
      return affine(picture, {1, 0, 0, up_to(0.3), 1, 0});
    case 3:
      return shift(picture, pixels(picture.width), 0);
    case 4:
      return shift(picture, 0, pixels(picture.height));
    case 5:
      return rotate(picture, up_to(30));
    case 6:
      return adjust_brightness(picture, 1 + up_to(0.9));
    case 7:
      return adjust_saturation(picture, 1 + up_to(0.9));
    case 8:
      return adjust_contrast(picture, 1 + up_to(0.9));
    case 9:
      return adjust_sharpness(picture, 1 + up_to(0.9));
    case 10:
      return posterize(picture, 8 - static_cast<int>(std::lrint(level / ((kRandAugmentLevels - 1) / 4.0))));
    case 11:
      return solarize(picture, strength(255, 0, level));
    case 12:
      return auto_contrast(picture);
    case 13:
      return equalize(picture);
    default:
      return;
  }
}

void rand_augment(Picture& picture, Rng& rng, int operations, int level) {
  for (int i = 0; i < operations; ++i) {
    const auto operation = static_cast<int>(rng.below(kRandAugmentOperations));
    rand_augment_operation(picture, operation, level, rng.below(2) == 1);
  }
}

}  // namespace lookhere
