// Normalisation, crops and mirror images, exactly.
#include "vit/data/augment.h"

#include <set>

#include "tests/testing.h"

namespace lookhere {
namespace {

// One image (2, 3, 4) of pixels 0, 10, 20, ... with a mean and std that differ by channel.
struct Small {
  std::vector<std::uint8_t> pixels;
  std::vector<float> mean{0.25F, 0.5F}, std{0.5F, 0.25F};
  Small() {
    for (int i = 0; i < 24; ++i) pixels.push_back(static_cast<std::uint8_t>(10 * i));
  }
  std::vector<float> seen(const View& view = {}) const {
    std::vector<float> out(24);
    normalise({pixels.data(), 2, 3, 4}, mean, std, out.data(), view);
    return out;
  }
};

TEST(Augment, NormalisesPerChannel) {
  const Small d;
  const std::vector<float> out = d.seen();
  for (int i = 0; i < 24; ++i) EXPECT_NEAR(out[i], (10.0 * i / 255 - d.mean[i / 12]) / d.std[i / 12], 1e-6) << i;
}

TEST(Augment, CropsAndMirrorsExactly) {
  const Small d;
  for (long dy = -4; dy <= 4; ++dy)
    for (long dx = -5; dx <= 5; ++dx)
      for (bool mirrored : {false, true}) {
        const std::vector<float> out = d.seen({.dy = dy, .dx = dx, .mirrored = mirrored});
        for (long c = 0; c < 2; ++c)
          for (long y = 0; y < 3; ++y)
            for (long x = 0; x < 4; ++x) {
              const long from_y = y + dy, from_x = (mirrored ? 3 - x : x) + dx;
              const bool inside = 0 <= from_y && from_y < 3 && 0 <= from_x && from_x < 4;
              const double pixel = inside ? d.pixels[(c * 3 + from_y) * 4 + from_x] : 0;
              ASSERT_NEAR(out[(c * 3 + y) * 4 + x], (pixel / 255 - d.mean[c]) / d.std[c], 1e-6)
                  << dy << ' ' << dx << ' ' << mirrored << ' ' << c << ' ' << y << ' ' << x;
            }
      }
}

TEST(Augment, ViewsCoverTheirRange) {
  std::set<std::pair<long, long>> corners;
  int mirrored = 0;
  for (long i = 0; i < 4000; ++i) {
    const View view = draw_view({.crop_padding = 2, .hflip = 0.5}, 1, 0, i);
    corners.insert({view.dy, view.dx});
    mirrored += view.mirrored;
    EXPECT_LE(std::max(std::abs(view.dy), std::abs(view.dx)), 2);
  }
  EXPECT_EQ(corners.size(), 25U);
  EXPECT_NEAR(mirrored, 2000, 130);  // four standard deviations
}

TEST(Augment, ViewsDependOnSeedEpochAndImageOnly) {
  const Augment augment{.crop_padding = 1000, .hflip = 0.5};
  const auto draw = [&](std::uint64_t seed, long epoch, long index) {
    const View view = draw_view(augment, seed, epoch, index);
    return std::pair(view.dy, view.dx);
  };
  EXPECT_EQ(draw(1, 2, 3), draw(1, 2, 3));
  EXPECT_NE(draw(1, 2, 3), draw(2, 2, 3));
  EXPECT_NE(draw(1, 2, 3), draw(1, 3, 3));
  EXPECT_NE(draw(1, 2, 3), draw(1, 2, 4));
  const View plain = draw_view({}, 1, 2, 3), cropped = draw_view({.crop_padding = 1000}, 1, 2, 3);
  EXPECT_EQ((std::tuple{plain.dy, plain.dx, plain.mirrored}), (std::tuple{0L, 0L, false}));
  EXPECT_EQ(std::pair(cropped.dy, cropped.dx), draw(1, 2, 3));  // mirroring does not change the crop
}

}  // namespace
}  // namespace lookhere
