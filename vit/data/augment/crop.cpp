// Windows are drawn as torchvision draws them; numbers are rounded as Python rounds, halves to the even one.
#include "vit/data/augment/crop.h"

#include <algorithm>
#include <cmath>

#include "tensor/shape.h"

namespace lookhere {
namespace {

long rounded(double value) { return std::lrint(value); }

Picture resampled(const Image& image, const Resample& resample, long height, long width, long top, long left) {
  Picture out{{}, image.channels, height, width};
  out.pixels.resize(checked_mul(image.channels, checked_mul(height, width)));
  std::vector<std::uint8_t> scratch;
  resample(out.pixels.data(), image, scratch, top, left);
  return out;
}

}  // namespace

Window random_resized_crop(Rng& rng, const CropOptions& options, long height, long width) {
  const double area = static_cast<double>(height) * static_cast<double>(width);
  const double narrow = std::log(options.min_ratio), wide = std::log(options.max_ratio);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * (options.min_scale + (options.max_scale - options.min_scale) * rng.uniform());
    const double ratio = std::exp(narrow + (wide - narrow) * rng.uniform());
    const long w = rounded(std::sqrt(target * ratio)), h = rounded(std::sqrt(target / ratio));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const long top = rng.below(static_cast<std::uint32_t>(height - h + 1));
    return {top, static_cast<long>(rng.below(static_cast<std::uint32_t>(width - w + 1))), h, w};
  }
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  long h = height, w = width;
  if (ratio < options.min_ratio) h = std::clamp(rounded(static_cast<double>(w) / options.min_ratio), 1L, height);
  if (ratio > options.max_ratio) w = std::clamp(rounded(static_cast<double>(h) * options.max_ratio), 1L, width);
  return {(height - h) / 2, (width - w) / 2, h, w};
}

Picture crop_and_resize(const Image& image, const Window& window, Interpolation interpolation, long height,
                        long width) {
  const Resample resample(interpolation, window.height, window.width, height, width);
  return resampled(image, resample, height, width, window.top, window.left);
}

Picture crop_and_resize(const Image& image, const Window& window, Extent stored, Interpolation interpolation,
                        long height, long width) {
  if (stored == Extent{image.height, image.width}) return crop_and_resize(image, window, interpolation, height, width);
  check(0 <= window.top && 0 <= window.left && window.top + window.height <= stored.height &&
            window.left + window.width <= stored.width,
        "crop: the window must lie in the image");
  // Borders lie between pixels; the last one is the image's, however numbers are rounded.
  const auto scaled = [](long at, long side, long whole) {
    return std::min(static_cast<float>(side), static_cast<float>(static_cast<double>(at) * static_cast<double>(side) /
                                                                 static_cast<double>(whole)));
  };
  const SourceBox box{.left = scaled(window.left, image.width, stored.width),
                      .top = scaled(window.top, image.height, stored.height),
                      .right = scaled(window.left + window.width, image.width, stored.width),
                      .bottom = scaled(window.top + window.height, image.height, stored.height)};
  return resampled(image, Resample(interpolation, image.height, image.width, box, height, width), height, width, 0, 0);
}

Picture simple_random_crop(Rng& rng, const Image& image, Interpolation interpolation, long height, long width) {
  constexpr long kPadding = 4;
  for (const long side : {height, width})
    check(kPadding < side && side <= 1 << 16, "simple random crop: sizes must lie in [5, 65536], got ", side);
  const bool fits_height = height * image.width >= width * image.height;  // and the width hangs over
  const Picture whole = crop_and_resize(image, {0, 0, image.height, image.width}, interpolation,
                                        fits_height ? height : width * image.height / image.width,
                                        fits_height ? height * image.width / image.height : width);
  const auto draw = [&](long side, long wanted) {
    return static_cast<long>(rng.below(static_cast<std::uint32_t>(side + 2 * kPadding - wanted + 1))) - kPadding;
  };
  const long top = draw(whole.height, height), left = draw(whole.width, width);
  const auto mirrored = [](long at, long side) { return at < 0 ? -at : at < side ? at : 2 * (side - 1) - at; };
  Picture out{{}, image.channels, height, width};
  out.pixels.reserve(checked_mul(image.channels, checked_mul(height, width)));
  for (long c = 0; c < image.channels; ++c)
    for (long y = top; y < top + height; ++y) {
      const std::uint8_t* const row =
          whole.pixels.data() + (c * whole.height + mirrored(y, whole.height)) * whole.width;
      for (long x = left; x < left + width; ++x) out.pixels.push_back(row[mirrored(x, whole.width)]);
    }
  return out;
}

Picture evaluation_view(const Image& image, long shorter, long size, Interpolation interpolation) {
  for (const long side : {shorter, size})
    check(1 <= side && side <= 1 << 16, "evaluation: sizes must lie in [1, 65536], got ", side);
  check(image.numel() > 0, "evaluation: an image without pixels");
  const double factor = static_cast<double>(shorter) / static_cast<double>(std::min(image.height, image.width));
  const auto scaled = [&](long side) { return static_cast<long>(static_cast<double>(side) * factor); };
  const Picture whole = crop_and_resize(image, {0, 0, image.height, image.width}, interpolation, scaled(image.height),
                                        scaled(image.width));
  // Where the centre begins in the resized image, negative if that is smaller: torchvision's CenterCrop.
  const auto corner = [&](long side) { return side < size ? -((size - side) / 2) : rounded((side - size) / 2.0); };
  const long top = corner(whole.height), left = corner(whole.width);
  Picture out{{}, image.channels, size, size};
  out.pixels.resize(checked_mul(image.channels, size * size));
  const long begin = std::max(left, 0L), end = std::min(left + size, whole.width);
  for (long c = 0; c < image.channels; ++c)
    for (long y = std::max(top, 0L); y < std::min(top + size, whole.height); ++y) {
      const std::uint8_t* row = whole.pixels.data() + (c * whole.height + y) * whole.width;
      std::copy(row + begin, row + end, out.pixels.data() + (c * size + y - top) * size + begin - left);
    }
  return out;
}

void mirror(Picture& picture) {
  for (auto row = picture.pixels.begin(); row != picture.pixels.end(); row += picture.width)
    std::reverse(row, row + picture.width);
}

}  // namespace lookhere
