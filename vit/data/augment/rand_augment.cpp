// Strengths in float, as torch.linspace has them; affine maps take the nearest pixel.
#include "vit/data/augment/rand_augment.h"

#include <cmath>

#include "vit/data/augment/affine.h"
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

void shift(Picture& picture, long x, long y) {
  affine(picture, {1, 0, -static_cast<double>(x), 0, 1, -static_cast<double>(y)});
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
