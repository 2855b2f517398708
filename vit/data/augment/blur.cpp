// A box of 2 r + 1 whole pixels and a part of one at each end. Beyond the border the last pixel goes on.
#include "vit/data/augment/blur.h"

#include <algorithm>
#include <cmath>

namespace lookhere {
namespace {

constexpr int kPasses = 3;

// Weights in 24 bits of fraction: of the whole pixels, and of the two at the ends.
struct BoxFilter {
  long radius;
  std::uint32_t whole, end;
  // Its variance is a third of the Gaussian's. In float where Pillow has it.
  explicit BoxFilter(float sigma) {
    const float variance = sigma * sigma / kPasses;
    const auto length = static_cast<float>(std::sqrt(12.0 * variance + 1.0));
    const auto l = static_cast<float>(std::floor((length - 1.0) / 2.0));
    float part = (2 * l + 1) * (l * (l + 1) - 3 * variance);
    part /= 6 * (variance - (l + 1) * (l + 1));
    radius = static_cast<long>(l + part);
    whole = static_cast<std::uint32_t>(0x1p24F / ((l + part) * 2 + 1));
    end = ((1U << 24) - static_cast<std::uint32_t>(2 * radius + 1) * whole) / 2;
  }
};

// n pixels at a time: from(d) is where those lie that are d pixels away from them.
template <class F>
void blur_line(const BoxFilter& box, std::uint8_t* out, long n, std::vector<std::uint32_t>& sums, F from) {
  std::fill(sums.begin(), sums.begin() + n, 0);
  for (long d = -box.radius; d <= box.radius; ++d) {
    const std::uint8_t* const pixels = from(d);
    for (long x = 0; x < n; ++x) sums[x] += pixels[x];
  }
  const std::uint8_t *const before = from(-box.radius - 1), *const after = from(box.radius + 1);
  for (long x = 0; x < n; ++x) {
    const auto ends = static_cast<std::uint32_t>(before[x] + after[x]);
    out[x] = static_cast<std::uint8_t>((sums[x] * box.whole + ends * box.end + (1U << 23)) >> 24);
  }
}

}  // namespace

void gaussian_blur(Picture& picture, double sigma) {
  const BoxFilter box(static_cast<float>(sigma));
  const long height = picture.height, width = picture.width, reach = box.radius + 1;
  std::vector<std::uint32_t> sums(width);
  std::vector<std::uint8_t> line(width + 2 * reach), plane(picture.plane());
  for (long c = 0; c < picture.channels; ++c) {
    std::uint8_t* const pixels = picture.pixels.data() + c * picture.plane();
    for (long y = 0; y < height; ++y)
      for (int pass = 0; pass < kPasses; ++pass) {
        std::uint8_t* const row = pixels + y * width;
        std::fill(line.begin(), line.begin() + reach, row[0]);
        std::copy(row, row + width, line.begin() + reach);
        std::fill(line.end() - reach, line.end(), row[width - 1]);
        blur_line(box, row, width, sums, [&](long d) { return line.data() + reach + d; });
      }
    for (int pass = 0; pass < kPasses; ++pass) {
      std::copy(pixels, pixels + picture.plane(), plane.begin());
      for (long y = 0; y < height; ++y)
        blur_line(box, pixels + y * width, width, sums,
                  [&](long d) { return plane.data() + std::clamp(y + d, 0L, height - 1) * width; });
    }
  }
}

}  // namespace lookhere
