// timm's RandAugment against tests/golden/timm_augment.txt, hashes of what timm makes of the same images; how it is
// written and drawn; and DeiT III's simple random crop.
#include <algorithm>
#include <set>
#include <sstream>

#include "tests/testing.h"
#include "tests/vit/pillow_picture.h"
#include "vit/data/augment/crop.h"
#include "vit/data/augment/pipeline.h"

namespace lookhere {
namespace {

TEST(TimmRandAugment, OperationsAreTimms) {
  std::istringstream file(read_file("tests/golden/timm_augment.txt"));
  long cases = 0;
  std::set<int> seen;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) continue;
    std::istringstream text(line);
    long height = 0, width = 0, kind = 0;
    int operation = 0, sign = 0;
    double magnitude = 0;
    bool increasing = false;
    std::string filter;
    std::uint32_t hash = 0;
    text >> height >> width >> kind >> operation >> filter >> increasing;
    ASSERT_FALSE(text.fail()) << line;
    const auto interpolation = filter == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
    while (text >> magnitude >> sign >> hash) {
      Picture p = picture(height, width, kind);
      timm_operation(p, operation, magnitude, increasing, sign < 0,
                     {.interpolation = interpolation, .fill = {124, 116, 104}});
      EXPECT_EQ(fnv(p.pixels), hash) << line << ": " << magnitude << ' ' << sign;
      seen.insert(operation);
      ++cases;
    }
  }
  EXPECT_GT(cases, 700);
  EXPECT_EQ(seen.size(), 15U);
}

TEST(TimmRandAugment, IsWrittenAsTimmHasIt) {
  const TimmRandAugment usual = timm_rand_augment_from_text("rand");
  EXPECT_EQ(usual.magnitude, 10);
  EXPECT_EQ(usual.operations, 2);
  EXPECT_EQ(usual.probability, 0.5);
  EXPECT_EQ(usual.deviation, 0);
  EXPECT_EQ(usual.most, 10);
  EXPECT_FALSE(usual.increasing);
  const TimmRandAugment deit = timm_rand_augment_from_text("rand-m9-mstd0.5-inc1");
  EXPECT_EQ(deit.magnitude, 9);
  EXPECT_EQ(deit.deviation, 0.5);
  EXPECT_TRUE(deit.increasing);
  const TimmRandAugment all = timm_rand_augment_from_text("rand-inc0-mmax20-p1-n3-m7-mstd101");
  EXPECT_EQ(all.magnitude, 7);
  EXPECT_EQ(all.operations, 3);
  EXPECT_EQ(all.probability, 1);
  EXPECT_EQ(all.most, 20);
  EXPECT_FALSE(all.increasing);
  for (const char* text : {"",
                           "r",
                           "rand-",
                           "rand--m9",
                           "rand-m",
                           "rand-m9-",
                           "rand-m9-m8",
                           "rand-m9.5",
                           "rand-m-9",
                           "rand-x3",
                           "rand-9",
                           "rand-m9x",
                           "rand-mstd1e999",
                           "rand-mstdinf",
                           "rand-mstdnan",
                           "rand-p1.5",
                           "rand-inc2",
                           "rand-n101",
                           "rand-m1001",
                           "rand-mmax0",
                           "rand-m99999999999",
                           "rand-tweights",
                           "rand-w0",
                           "random",
                           "rand-m 9",
                           "rand-n-1"})
    EXPECT_ERROR(timm_rand_augment_from_text(text),
                 "--aa: wanted rand with any of -m9 -n2 -p0.5 -mstd0.5 -mmax10 -inc1, each once, got \"");
}

TEST(TimmRandAugment, DrawsOperationUseMagnitudeAndDirection) {
  const Sampling sampling{.interpolation = Interpolation::bicubic, .fill = {124, 116, 104}};
  for (const double deviation : {0.5, 101.0}) {
    const TimmRandAugment options{.magnitude = 9, .operations = 3, .deviation = deviation, .increasing = true};
    int used = 0, operations = 0;
    std::set<int> seen;
    for (std::uint32_t i = 0; i < 100; ++i) {
      Rng rng(1, Purpose::policy, 0, i), same = rng;
      Picture got = picture(12, 9), want = got;
      timm_rand_augment(got, rng, options, sampling);
      for (int k = 0; k < 3; ++k, ++operations) {
        const auto operation = static_cast<int>(same.below(15));
        const bool use = same.uniform() < 0.5;
        const double magnitude = deviation > 100 ? 9.0 * same.uniform() : 9 + 0.5 * same.normal();
        const bool negative = same.below(2) == 1;
        if (use) timm_operation(want, operation, std::clamp(magnitude, 0.0, 10.0), true, negative, sampling);
        used += use;
        seen.insert(operation);
      }
      ASSERT_EQ(got.pixels, want.pixels) << i;
    }
    EXPECT_NEAR(used, operations / 2, 35);  // four standard deviations
    EXPECT_EQ(seen.size(), 15U);
  }
}

// From the pipeline: its interpolation, its fill, and the stream of the policy.
TEST(TimmRandAugment, IsAPolicy) {
  AugmentOptions options;
  options.policy = AugmentPolicy::timm_rand_augment;
  options.interpolation = Interpolation::bilinear;
  options.timm.probability = 1;
  options.fill = {1, 2, 3};
  const Picture p = picture(20, 20);
  for (long index = 0; index < 10; ++index) {
    Picture want = p;
    Rng rng(7, Purpose::policy, 2, static_cast<std::uint32_t>(index));
    timm_rand_augment(want, rng, options.timm, {.interpolation = Interpolation::bilinear, .fill = {1, 2, 3}});
    EXPECT_EQ(augment(p.image(), options, 7, 2, index, 20, 20).picture.pixels, want.pixels);
  }
  options.fill = {1};
  EXPECT_ERROR(augment(p.image(), options, 7, 2, 0, 20, 20), "wanted a fill of 3 channels, got 1");
  options.fill = {}, options.timm.magnitude = 1001;
  EXPECT_ERROR(augment(p.image(), options, 7, 2, 0, 20, 20),
               "the magnitude of timm's operations must lie in [0, 1000]");
}

// Row and column -1 are 1, -2 are 2, ...: the border is not repeated.
TEST(SimpleRandomCrop, PadsWithMirrorImages) {
  Picture p{{}, 1, 6, 6};
  for (int i = 0; i < 36; ++i) p.pixels.push_back(static_cast<std::uint8_t>(i));
  const int reflected[14] = {4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 4, 3, 2, 1};
  std::set<std::pair<long, long>> corners;
  for (std::uint32_t i = 0; i < 400; ++i) {
    Rng rng(1, Purpose::crop, 0, i), same = rng;
    const long top = same.below(9), left = same.below(9);
    const Picture got = simple_random_crop(rng, p.image(), Interpolation::bicubic, 6, 6);
    for (long y = 0; y < 6; ++y)
      for (long x = 0; x < 6; ++x)
        ASSERT_EQ(got.pixels[y * 6 + x], 6 * reflected[top + y] + reflected[left + x]) << i << ' ' << y << ' ' << x;
    corners.emplace(top, left);
  }
  EXPECT_GT(corners.size(), 75U);  // of 81
}

TEST(SimpleRandomCrop, CoversWhatIsWantedInProportion) {
  const Picture lying = picture(20, 50);
  std::set<std::vector<std::uint8_t>> seen;
  for (std::uint32_t i = 0; i < 20; ++i) {
    Rng rng(1, Purpose::crop, 0, i), same = rng;
    const Picture got = simple_random_crop(rng, lying.image(), Interpolation::bicubic, 10, 10);
    const long top = static_cast<long>(same.below(9)) - 4, left = static_cast<long>(same.below(24)) - 4;  // of 10 x 25
    const Picture whole = crop_and_resize(lying.image(), {0, 0, 20, 50}, Interpolation::bicubic, 10, 25);
    const long y = std::max(0L, -top), x = std::max(0L, -left);  // a pixel of the image itself
    EXPECT_EQ(got.pixels[y * 10 + x], whole.pixels[(y + top) * 25 + x + left]) << i;
    seen.insert(got.pixels);
  }
  EXPECT_GT(seen.size(), 15U);
  Rng rng(1, Purpose::crop);
  EXPECT_EQ(simple_random_crop(rng, picture(50, 20).image(), Interpolation::bilinear, 8, 12).pixels.size(), 288U);
  EXPECT_ERROR(simple_random_crop(rng, lying.image(), Interpolation::bilinear, 4, 8), "must lie in [5, 65536], got 4");
}

}  // namespace
}  // namespace lookhere
