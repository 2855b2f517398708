// Draws the rectangle, fills it.
#include "vit/data/augment/erase.h"

#include <cmath>

namespace lookhere {

Window erased_window(Rng& rng, const EraseOptions& options, long height, long width) {
  if (!(rng.uniform() < options.probability)) return {};
  const double area = static_cast<double>(height) * static_cast<double>(width);
  const double low = std::log(options.min_aspect), high = std::log(options.max_aspect);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * (options.min_area + (options.max_area - options.min_area) * rng.uniform());
    const double aspect = std::exp(low + (high - low) * rng.uniform());
    const long h = std::lrint(std::sqrt(target * aspect)), w = std::lrint(std::sqrt(target / aspect));
    if (h >= height || w >= width) continue;
    const long top = rng.below(static_cast<std::uint32_t>(height - h + 1));
    return {top, static_cast<long>(rng.below(static_cast<std::uint32_t>(width - w + 1))), h, w};
  }
  return {};
}

void erase(float* image, long channels, long height, long width, const Window& window, bool noise, Rng& rng) {
  for (long c = 0; c < channels; ++c)
    for (long y = window.top; y < window.top + window.height; ++y) {
      float* const row = image + (c * height + y) * width;
      for (long x = window.left; x < window.left + window.width; ++x)
        row[x] = noise ? static_cast<float>(rng.normal()) : 0.0F;
    }
}

}  // namespace lookhere
