// Tables of 256 levels, from each channel's histogram where they depend on the image.
#include "vit/data/augment/levels.h"

#include <algorithm>
#include <array>

namespace lookhere {
namespace {

constexpr int kLevels = 256;

// Every pixel of channel c becomes level(c's histogram)(pixel).
template <class F>
void map_channels(Picture& picture, F table_of) {
  const long plane = picture.plane();
  for (long c = 0; c < picture.channels; ++c) {
    std::uint8_t* const pixels = picture.pixels.data() + c * plane;
    std::array<long, kLevels> histogram{};
    for (long i = 0; i < plane; ++i) ++histogram[pixels[i]];
    std::array<std::uint8_t, kLevels> table{};
    for (int level = 0; level < kLevels; ++level) table[level] = static_cast<std::uint8_t>(level);
    table_of(histogram, table);
    for (long i = 0; i < plane; ++i) pixels[i] = table[pixels[i]];
  }
}

// Of levels that the channel has; the image has some pixels.
int lowest(const std::array<long, kLevels>& histogram) {
  return static_cast<int>(std::ranges::find_if(histogram, [](long n) { return n > 0; }) - histogram.begin());
}
int highest(const std::array<long, kLevels>& histogram) {
  return kLevels - 1 -
         static_cast<int>(std::find_if(histogram.rbegin(), histogram.rend(), [](long n) { return n > 0; }) -
                          histogram.rbegin());
}

}  // namespace

void solarize(Picture& picture, double threshold) {
  for (std::uint8_t& pixel : picture.pixels)
    if (pixel >= threshold) pixel = static_cast<std::uint8_t>(255 - pixel);
}

void solarize_add(Picture& picture, int add) {
  for (std::uint8_t& pixel : picture.pixels)
    if (pixel < 128) pixel = static_cast<std::uint8_t>(std::min(pixel + add, 255));
}

void invert(Picture& picture) { solarize(picture, 0); }

void posterize(Picture& picture, int bits) {
  const auto mask = static_cast<std::uint8_t>(0xFF00U >> static_cast<unsigned>(bits));
  for (std::uint8_t& pixel : picture.pixels) pixel &= mask;
}

void auto_contrast(Picture& picture) {
  map_channels(picture, [](const auto& histogram, auto& table) {
    const int low = lowest(histogram), high = highest(histogram);
    if (high <= low) return;
    const double scale = 255.0 / (high - low), offset = -low * scale;
    for (int level = 0; level < kLevels; ++level)
      table[level] = static_cast<std::uint8_t>(std::clamp(static_cast<int>(level * scale + offset), 0, 255));
  });
}

void equalize(Picture& picture) {
  map_channels(picture, [size = picture.plane()](const auto& histogram, auto& table) {
    const int high = highest(histogram);
    const long step = (size - histogram[high]) / 255;  // 0 also if all pixels are alike
    if (step == 0) return;
    long below = step / 2;
    for (int level = 0; level < kLevels; below += histogram[level++])
      table[level] = static_cast<std::uint8_t>(std::min(below / step, 255L));
  });
}

}  // namespace lookhere
