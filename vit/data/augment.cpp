// Crops, mirrors and normalises row by row.
#include "vit/data/augment.h"

#include <algorithm>

#include "tensor/random.h"

namespace lookhere {

View draw_view(const Augment& augment, std::uint64_t seed, long epoch, long index) {
  Rng rng(seed, Purpose::augment, static_cast<std::uint32_t>(epoch), static_cast<std::uint32_t>(index));
  const auto window = static_cast<std::uint32_t>(2 * augment.crop_padding + 1);
  View view;  // always three numbers, so that one option does not change what another draws
  view.dy = static_cast<long>(rng.below(window)) - augment.crop_padding;
  view.dx = static_cast<long>(rng.below(window)) - augment.crop_padding;
  view.mirrored = rng.uniform() < augment.hflip;
  return view;
}

void normalise(const Image& image, const std::vector<float>& mean, const std::vector<float>& std, float* out,
               const View& view) {
  const long height = image.height, width = image.width;
  const long begin = std::clamp(-view.dx, 0L, width), end = std::clamp(width - view.dx, begin, width);
  for (long c = 0; c < image.channels; ++c) {
    const Normalise value(mean[c], std[c]);
    for (long y = 0; y < height; ++y, out += width) {
      const long from = y + view.dy;
      std::fill(out, out + width, value.black);
      if (from < 0 || from >= height) continue;
      const std::uint8_t* row = image.pixels + (c * height + from) * width;
      for (long x = begin; x < end; ++x) out[x] = value(static_cast<float>(row[x + view.dx]));
      if (view.mirrored) std::reverse(out, out + width);
    }
  }
}

}  // namespace lookhere
