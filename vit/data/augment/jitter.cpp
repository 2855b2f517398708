// Draws factors and order, then calls what changes colours.
#include "vit/data/augment/jitter.h"

#include <algorithm>
#include <array>
#include <utility>

#include "vit/data/augment/colour.h"

namespace lookhere {

void colour_jitter(Picture& picture, Rng& rng, const JitterOptions& options) {
  const auto factor = [&](double x) {
    const double low = std::max(0.0, 1 - x);
    return low + (1 + x - low) * rng.uniform();
  };
  const double brightness = factor(options.brightness), contrast = factor(options.contrast);
  const double saturation = factor(options.saturation), hue = options.hue * (2.0 * rng.uniform() - 1);
  std::array<int, 4> order{0, 1, 2, 3};
  for (std::uint32_t left = 4; left > 1; --left) std::swap(order.at(left - 1), order.at(rng.below(left)));
  for (const int step : order) {
    if (step == 0 && options.brightness > 0) adjust_brightness(picture, brightness);
    if (step == 1 && options.contrast > 0) adjust_contrast(picture, contrast);
    if (step == 2 && options.saturation > 0) adjust_saturation(picture, saturation);
    if (step == 3 && options.hue > 0) adjust_hue(picture, hue);
  }
}

}  // namespace lookhere
