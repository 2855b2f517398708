// Pillow's ImageEnhance and its conversions from and to HSV.
#include "vit/data/augment/colour.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

namespace lookhere {
namespace {

// from(i) is where a factor of 0 leads pixel i of all channels. Cut off to whole numbers, not rounded.
template <class F>
void blend(Picture& picture, double factor, F from) {
  const auto alpha = static_cast<float>(factor);
  const long size = std::ssize(picture.pixels);
  std::uint8_t* pixels = picture.pixels.data();
  for (long i = 0; i < size; ++i) {
    const int other = from(i);
    const float value = static_cast<float>(other) + alpha * static_cast<float>(pixels[i] - other);
    pixels[i] = static_cast<std::uint8_t>(std::clamp(value, 0.0F, 255.0F));
  }
}

// 3 x 3 pixels' mean, the middle one counted five times; the border stays.
std::vector<std::uint8_t> smoothed(const Picture& picture) {
  std::vector<std::uint8_t> out = picture.pixels;
  const long width = picture.width;
  for (long c = 0; c < picture.channels; ++c)
    for (long y = 1; y + 1 < picture.height; ++y)
      for (long x = 1; x + 1 < width; ++x) {
        const long at = (c * picture.height + y) * width + x;
        int sum = 4 * picture.pixels[at];
        for (const long row : {at - width, at, at + width})
          for (long i = row - 1; i <= row + 1; ++i) sum += picture.pixels[i];
        out[at] = static_cast<std::uint8_t>((2 * sum + 13) / 26);
      }
  return out;
}

using Colour = std::array<std::uint8_t, 3>;

std::uint8_t cut(double value) { return static_cast<std::uint8_t>(std::clamp(static_cast<int>(value), 0, 255)); }

// Red, green, blue to hue, saturation, value.
Colour to_hsv(Colour rgb) {
  const auto [r, g, b] = rgb;
  const int most = std::max({r, g, b}), least = std::min({r, g, b});
  if (most == least) return {0, 0, static_cast<std::uint8_t>(most)};
  const auto range = static_cast<float>(most - least);
  const auto missing = [&](int part) { return static_cast<float>(most - part) / range; };
  float hue = 0;
  if (r == most)
    hue = missing(b) - missing(g);
  else if (g == most)
    hue = static_cast<float>(2.0 + missing(r) - missing(b));
  else
    hue = static_cast<float>(4.0 + missing(g) - missing(r));
  hue = static_cast<float>(std::fmod(hue / 6.0 + 1.0, 1.0));
  return {cut(hue * 255.0), cut(range / static_cast<float>(most) * 255.0), static_cast<std::uint8_t>(most)};
}

Colour to_rgb(Colour hsv) {
  const std::uint8_t v = hsv[2];
  if (hsv[1] == 0) return {v, v, v};
  const double sixths = static_cast<float>(hsv[0]) * 6.0 / 255.0, sector = std::floor(sixths);
  const auto fraction = static_cast<float>(sixths - sector), saturation = static_cast<float>(hsv[1] / 255.0);
  const auto less = [&](double by) { return cut(std::round(v * (1.0 - by))); };
  const std::uint8_t p = less(saturation), q = less(saturation * fraction),
                     t = less(saturation * (1.0 - static_cast<double>(fraction)));
  switch (static_cast<int>(sector) % 6) {
    case 0:
      return {v, t, p};
    case 1:
      return {q, v, p};
    case 2:
      return {p, v, t};
    case 3:
      return {p, q, v};
    case 4:
      return {t, p, v};
    default:
      return {v, p, q};
  }
}

void check_channels(const Picture& picture) {
  check(picture.channels == 1 || picture.channels == 3, "augmentation of colours: wanted 1 or 3 channels, got ",
        picture.channels);
}

}  // namespace

std::vector<std::uint8_t> grey_levels(const Picture& picture) {
  check_channels(picture);
  if (picture.channels == 1) return picture.pixels;
  const long plane = picture.plane();
  std::vector<std::uint8_t> grey(plane);
  const std::uint8_t* const red = picture.pixels.data();
  for (long i = 0; i < plane; ++i)
    grey[i] = static_cast<std::uint8_t>(
        (red[i] * 19595U + red[i + plane] * 38470U + red[i + 2 * plane] * 7471U + 0x8000U) >> 16);
  return grey;
}

void grayscale(Picture& picture) {
  const std::vector<std::uint8_t> grey = grey_levels(picture);
  for (long c = 0; c < picture.channels; ++c) std::ranges::copy(grey, picture.pixels.begin() + c * picture.plane());
}

void adjust_brightness(Picture& picture, double factor) {
  blend(picture, factor, [](long) { return 0; });
}

void adjust_contrast(Picture& picture, double factor) {
  const std::vector<std::uint8_t> grey = grey_levels(picture);
  const auto sum = static_cast<double>(std::accumulate(grey.begin(), grey.end(), 0L));
  const int mean = static_cast<int>(sum / static_cast<double>(grey.size()) + 0.5);
  blend(picture, factor, [mean](long) { return mean; });
}

void adjust_saturation(Picture& picture, double factor) {
  Picture grey = picture;
  grayscale(grey);
  blend(picture, factor, [from = grey.pixels.data()](long i) { return from[i]; });
}

void adjust_sharpness(Picture& picture, double factor) {
  const std::vector<std::uint8_t> smooth = smoothed(picture);
  blend(picture, factor, [from = smooth.data()](long i) { return from[i]; });
}

void adjust_hue(Picture& picture, double turn) {
  check_channels(picture);
  if (picture.channels == 1) return;
  const auto by = static_cast<std::uint8_t>(static_cast<int>(turn * 255));  // around the circle of 256 hues
  const long plane = picture.plane();
  std::uint8_t* const red = picture.pixels.data();
  for (long i = 0; i < plane; ++i) {
    Colour colour = to_hsv({red[i], red[i + plane], red[i + 2 * plane]});
    colour[0] = static_cast<std::uint8_t>(colour[0] + by);
    colour = to_rgb(colour);
    for (long c = 0; c < 3; ++c) red[i + c * plane] = colour[c];
  }
}

}  // namespace lookhere
