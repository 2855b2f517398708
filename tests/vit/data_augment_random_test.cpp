// What augmentation draws: where crops and erased windows lie, how often, in which order; mixing and its Beta numbers;
// and that all of it follows from seed, epoch and index.
#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "tests/testing.h"
#include "vit/data/augment.h"
#include "vit/data/augment/blur.h"
#include "vit/data/augment/colour.h"
#include "vit/data/augment/levels.h"
#include "vit/data/augment/mix.h"
#include "vit/data/augment/pipeline.h"
#include "vit/data/augment/rand_augment.h"

namespace lookhere {
namespace {

Picture noise(long channels, long height, long width) {
  Picture p{{}, channels, height, width};
  Rng rng(3, Purpose::test);
  for (long i = 0; i < channels * p.plane(); ++i) p.pixels.push_back(static_cast<std::uint8_t>(rng.below(256)));
  return p;
}

struct Moments {
  double mean = 0, variance = 0;
  explicit Moments(const std::vector<double>& values) {
    for (const double x : values) mean += x / static_cast<double>(values.size());
    for (const double x : values) variance += (x - mean) * (x - mean) / static_cast<double>(values.size());
  }
};

TEST(Crop, KeepsScaleAndRatio) {
  const long height = 300, width = 400, n = 4000;
  std::vector<double> scales, ratios;
  double furthest = 0;
  for (long i = 0; i < n; ++i) {
    Rng rng(1, Purpose::crop, 0, static_cast<std::uint32_t>(i));
    const Window w = random_resized_crop(rng, {}, height, width);
    ASSERT_TRUE(w.top >= 0 && w.left >= 0 && w.top + w.height <= height && w.left + w.width <= width);
    scales.push_back(static_cast<double>(w.height * w.width) / (height * width));
    ratios.push_back(std::log(static_cast<double>(w.width) / static_cast<double>(w.height)));
    furthest = std::max(furthest, std::abs(ratios.back()));
  }
  EXPECT_GT(*std::ranges::min_element(scales), 0.079);
  EXPECT_LE(*std::ranges::max_element(scales), 1);
  EXPECT_LT(furthest, std::log(4 / 3.0) + 0.02);
  // Large windows that are too wide or too high are drawn again: means of 300,000 windows of torchvision.
  EXPECT_NEAR(Moments(scales).mean, 0.4335, 0.015);
  EXPECT_NEAR(Moments(ratios).mean, 0.0304, 0.01);
}

TEST(Crop, FallsBackToTheMiddle) {
  const auto crop = [](long height, long width, const CropOptions& options) {
    Rng rng(1, Purpose::crop);
    return random_resized_crop(rng, options, height, width);
  };
  const CropOptions all{.min_scale = 1, .max_scale = 1, .min_ratio = 3 / 4.0, .max_ratio = 4 / 3.0};
  EXPECT_EQ(crop(10, 100, all), (Window{0, 43, 10, 13}));  // 10 * 4 / 3 is 13
  EXPECT_EQ(crop(101, 9, all), (Window{44, 0, 12, 9}));    // 9 / 0.75 is 12
  EXPECT_EQ(crop(11, 101, all), (Window{0, 43, 11, 15}));  // 11 * 4 / 3 is 14.7
  const CropOptions square{.min_scale = 1, .max_scale = 1, .min_ratio = 1, .max_ratio = 1};
  EXPECT_EQ(crop(7, 7, square), (Window{0, 0, 7, 7}));
  EXPECT_EQ(crop(1, 1, {}), (Window{0, 0, 1, 1}));
}

TEST(Crop, IsCutOutBeforeItIsResized) {
  const Picture p = noise(2, 30, 40);
  const Window window{5, 7, 20, 13};
  Picture cut{{}, 2, 20, 13};
  for (long c = 0; c < 2; ++c)
    for (long y = 0; y < 20; ++y)
      for (long x = 0; x < 13; ++x) cut.pixels.push_back(p.pixels[(c * 30 + y + 5) * 40 + x + 7]);
  for (const auto& [height, width] : {std::pair(8L, 9L), std::pair(20L, 13L), std::pair(20L, 50L), std::pair(33L, 13L)})
    EXPECT_EQ(crop_and_resize(p.image(), window, Interpolation::bicubic, height, width).pixels,
              crop_and_resize(cut.image(), {0, 0, 20, 13}, Interpolation::bicubic, height, width).pixels)
        << height << " x " << width;
  EXPECT_ERROR(crop_and_resize(p.image(), {11, 0, 20, 13}, Interpolation::bicubic, 8, 8),
               "resample: wanted 20 x 13 pixels at (11, 0), got an image of 30 x 40");
  EXPECT_ERROR(crop_and_resize(p.image(), {0, 28, 20, 13}, Interpolation::bicubic, 8, 8), "at (0, 28)");
  EXPECT_ERROR(crop_and_resize(p.image(), {-1, 0, 20, 13}, Interpolation::bicubic, 8, 8), "at (-1, 0)");
}

TEST(Erase, DrawsWindowsByTheRule) {
  const EraseOptions always{.probability = 1};
  std::vector<double> areas;
  for (long i = 0; i < 3000; ++i) {
    Rng rng(1, Purpose::erase, 0, static_cast<std::uint32_t>(i));
    const Window w = erased_window(rng, always, 64, 48);
    ASSERT_TRUE(w.top >= 0 && w.left >= 0 && w.top + w.height <= 64 && w.left + w.width <= 48);
    ASSERT_TRUE(w.height < 64 && w.width < 48);
    areas.push_back(static_cast<double>(w.height * w.width) / (64 * 48));
    if (w.height < 8 || w.width < 8) continue;  // rounded too coarsely
    const double aspect = static_cast<double>(w.height) / static_cast<double>(w.width);
    ASSERT_TRUE(0.26 < aspect && aspect < 3.8) << aspect;
  }
  EXPECT_GT(*std::ranges::min_element(areas), 0.015);
  EXPECT_LT(*std::ranges::max_element(areas), 0.34);
  EXPECT_NEAR(Moments(areas).mean, (0.02 + 1 / 3.0) / 2, 0.015);
  long erased = 0;
  for (long i = 0; i < 2000; ++i) {
    Rng rng(1, Purpose::erase, 1, static_cast<std::uint32_t>(i));
    erased += erased_window(rng, {.probability = 0.25}, 64, 48).height > 0;
  }
  EXPECT_NEAR(erased, 500, 80);  // four standard deviations
  Rng rng(1, Purpose::erase);
  EXPECT_EQ(erased_window(rng, always, 1, 9), Window{});  // no row would be left
}

TEST(Erase, FillsTheWindowAlone) {
  for (const bool with_noise : {false, true}) {
    std::vector<float> image(3 * 20 * 30, 7);
    Rng rng(1, Purpose::erase);
    erase(image.data(), 3, 20, 30, {4, 6, 10, 12}, with_noise, rng);
    std::vector<double> inside;
    for (long i = 0; i < 1800; ++i) {
      const long y = i / 30 % 20, x = i % 30;
      if (4 <= y && y < 14 && 6 <= x && x < 18)
        inside.push_back(image[i]);
      else
        EXPECT_EQ(image[i], 7) << i;
    }
    EXPECT_EQ(inside.size(), 360U);
    EXPECT_NEAR(Moments(inside).mean, 0, with_noise ? 0.22 : 0);
    EXPECT_NEAR(Moments(inside).variance, with_noise ? 1 : 0, with_noise ? 0.3 : 0);
  }
}

TEST(Jitter, DrawsFactorsThenTheirOrder) {
  const JitterOptions options{.brightness = 0.4, .contrast = 1.5, .saturation = 0.6, .hue = 0.25};
  std::set<std::array<int, 4>> orders;
  for (std::uint32_t i = 0; i < 200; ++i) {
    Rng rng(1, Purpose::jitter, 0, i), same = rng;
    Picture got = noise(3, 6, 5), want = got;
    colour_jitter(got, rng, options);
    const double brightness = 0.6 + 0.8 * same.uniform(), contrast = 2.5 * same.uniform();  // not below 0
    const double saturation = 0.4 + 1.2 * same.uniform(), hue = 0.25 * (2.0 * same.uniform() - 1);
    std::array<int, 4> order{0, 1, 2, 3};
    for (std::uint32_t left = 4; left > 1; --left) std::swap(order.at(left - 1), order.at(same.below(left)));
    for (const int step : order) {
      if (step == 0) adjust_brightness(want, brightness);
      if (step == 1) adjust_contrast(want, contrast);
      if (step == 2) adjust_saturation(want, saturation);
      if (step == 3) adjust_hue(want, hue);
    }
    EXPECT_EQ(got.pixels, want.pixels) << i;
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 24U);
  Rng rng(1, Purpose::jitter), same = rng;
  Picture got = noise(3, 6, 5), want = got;
  colour_jitter(got, rng, {.contrast = 0.5});  // alone, and its factor still the second number
  same.uniform();
  adjust_contrast(want, 0.5 + same.uniform());
  EXPECT_EQ(got.pixels, want.pixels);
}

TEST(RandAugment, DrawsOperationsAndDirections) {
  int negative = 0;
  for (std::uint32_t i = 0; i < 100; ++i) {
    Rng rng(1, Purpose::policy, 0, i), same = rng;
    Picture got = noise(3, 12, 9), want = got;
    rand_augment(got, rng, 3, 25);
    for (int k = 0; k < 3; ++k) {
      const auto operation = static_cast<int>(same.below(14));
      const bool turned = same.below(2) == 1;
      rand_augment_operation(want, operation, 25, turned);
      negative += turned;
    }
    EXPECT_EQ(got.pixels, want.pixels) << i;
  }
  EXPECT_NEAR(negative, 150, 35);  // four standard deviations
}

// The whole pipeline as one would write it for this image: each step from its own stream.
TEST(Pipeline, IsItsStepsInOrder) {
  const Picture p = noise(3, 40, 50);
  std::set<std::uint32_t> choices;
  for (long index = 0; index < 12; ++index) {
    const auto stream = [&](Purpose purpose) { return Rng(9, purpose, 2, static_cast<std::uint32_t>(index)); };
    Rng crop = stream(Purpose::crop), flip = stream(Purpose::mirror), policy = stream(Purpose::policy),
        jitter = stream(Purpose::jitter);
    Picture want = crop_and_resize(p.image(), random_resized_crop(crop, {}, 40, 50), Interpolation::bicubic, 24, 20);
    if (flip.uniform() < 0.5F) mirror(want);
    Picture other = want;
    const std::uint32_t choice = policy.below(3);
    choices.insert(choice);
    if (choice == 0) grayscale(want);
    if (choice == 1) solarize(want, 128);
    if (choice == 2) gaussian_blur(want, policy.uniform(0.1F, 2));
    colour_jitter(want, jitter, {.brightness = 0.3, .contrast = 0.3, .saturation = 0.3});
    const Augmented got = augment(p.image(), three_augment_options(), 9, 2, index, 24, 20);
    EXPECT_EQ(got.picture.pixels, want.pixels) << index;
    EXPECT_EQ(got.erased, Window{});

    policy = stream(Purpose::policy);
    rand_augment(other, policy, 2, 15);
    EXPECT_EQ(augment(p.image(), rand_augment_options(), 9, 2, index, 24, 20).picture.pixels, other.pixels) << index;
  }
  EXPECT_EQ(choices.size(), 3U);
}

TEST(Pipeline, DependsOnSeedEpochAndIndexAlone) {
  const Picture p = noise(3, 40, 50);
  const auto pixels = [&](std::uint64_t seed, long epoch, long index, const AugmentOptions& options) {
    return augment(p.image(), options, seed, epoch, index, 16, 16).picture.pixels;
  };
  AugmentOptions options = three_augment_options();
  const std::vector<std::uint8_t> want = pixels(1, 2, 3, options);
  std::vector<std::vector<std::uint8_t>> got(8);
#pragma omp parallel for num_threads(4)
  for (int i = 0; i < 8; ++i) got[i] = pixels(1, 2, 3, options);
  for (const auto& one : got) EXPECT_EQ(one, want);
  EXPECT_NE(pixels(2, 2, 3, options), want);
  EXPECT_NE(pixels(1, 3, 3, options), want);
  EXPECT_NE(pixels(1, 2, 4, options), want);
  // What one option draws is no other option's: a mirror image of the same crop in the same colours.
  options.policy = AugmentPolicy::none;
  options.hflip = 0;
  Picture unmirrored{pixels(1, 2, 3, options), 3, 16, 16};
  options.hflip = 1;
  mirror(unmirrored);
  EXPECT_EQ(pixels(1, 2, 3, options), unmirrored.pixels);
}

TEST(Pipeline, WithoutOptionsResizes) {
  const Picture p = noise(1, 12, 10);
  EXPECT_EQ(augment(p.image(), {}, 1, 0, 0, 12, 10).picture.pixels, p.pixels);
  EXPECT_EQ(augment(p.image(), {}, 1, 0, 0, 5, 7).picture.pixels,
            crop_and_resize(p.image(), {0, 0, 12, 10}, Interpolation::bicubic, 5, 7).pixels);
}

TEST(Pipeline, NormalisesAndErases) {
  const Picture p = noise(3, 20, 20);
  AugmentOptions options;
  options.erase = {.probability = 1, .noise = true};
  const Augmented augmented = augment(p.image(), options, 1, 2, 3, 20, 20);
  const std::vector<float> mean{0.5F, 0.4F, 0.3F}, std{0.2F, 0.3F, 0.4F};
  std::vector<float> plain(1200), got(1200), again(1200);
  normalise(p.image(), mean, std, plain.data());
  normalise(augmented, mean, std, got.data());
  normalise(augmented, mean, std, again.data());
  EXPECT_EQ(got, again);
  const Augmented other = augment(p.image(), options, 1, 2, 4, 20, 20);
  normalise(other, mean, std, again.data());
  EXPECT_NE(got[augmented.erased.top * 20 + augmented.erased.left], again[other.erased.top * 20 + other.erased.left]);
  const Window& w = augmented.erased;
  ASSERT_GT(w.height, 0);
  for (long i = 0; i < 1200; ++i) {
    const long y = i / 20 % 20, x = i % 20;
    const bool inside = w.top <= y && y < w.top + w.height && w.left <= x && x < w.left + w.width;
    EXPECT_EQ(got[i] != plain[i], inside) << i;
  }
}

TEST(Pipeline, TakesGreyImagesAndRefusesOthers) {
  const Picture grey = noise(1, 16, 16), two = noise(2, 16, 16);
  AugmentOptions options = three_augment_options();
  options.jitter.hue = 0.5;
  Picture rgb{{}, 3, 16, 16};
  for (int c = 0; c < 3; ++c) rgb.pixels.insert(rgb.pixels.end(), grey.pixels.begin(), grey.pixels.end());
  for (long i = 0; i < 6; ++i) {  // a grey picture of three channels stays one, and equals that of one channel
    std::vector<std::uint8_t> one = augment(grey.image(), options, 1, 0, i, 8, 8).picture.pixels, three;
    for (int c = 0; c < 3; ++c) three.insert(three.end(), one.begin(), one.end());
    EXPECT_EQ(augment(rgb.image(), options, 1, 0, i, 8, 8).picture.pixels, three);
  }
  EXPECT_ERROR(augment(two.image(), options, 1, 0, 0, 8, 8), "augmentation of colours: wanted 1 or 3 channels, got 2");
  EXPECT_EQ(augment(two.image(), {.hflip = 1}, 1, 0, 0, 8, 8).picture.pixels.size(), 128U);
}

TEST(Pipeline, RefusesWrongOptions) {
  const Picture p = noise(3, 8, 8);
  const auto refused = [&](auto change, const char* message) {
    AugmentOptions options;
    change(options);
    EXPECT_ERROR(augment(p.image(), options, 1, 0, 0, 8, 8), message);
  };
  using O = AugmentOptions;
  refused([](O& o) { o.hflip = 1.5; }, "augmentation: hflip must lie in [0, 1], got 1.5");
  refused([](O& o) { o.crop.min_scale = 0; }, "the crop's scale must be a range in [1e-06, 1], got 0 to 1");
  refused([](O& o) { o.crop.min_ratio = 2; }, "the crop's ratio must be a range in [0.001, 1000], got 2 to 1.33");
  refused([](O& o) { o.level = 31; }, "RandAugment's level must lie in [0, 30], got 31");
  refused([](O& o) { o.operations = -1; }, "RandAugment's number of operations must lie in [0, 100], got -1");
  refused([](O& o) { o.jitter.hue = 0.6; }, "jitter of hue must lie in [0, 0.5], got 0.6");
  refused([](O& o) { o.jitter.contrast = std::nan(""); }, "jitter of contrast must lie in [0, 100], got nan");
  refused([](O& o) { o.erase.probability = -1; }, "the probability of erasing must lie in [0, 1], got -1");
  refused([](O& o) { o.erase.max_area = 0; }, "the erased area must be a range in [0, 1], got 0.02 to 0");
  EXPECT_ERROR(augment(noise(3, 0, 8).image(), three_augment_options(), 1, 0, 0, 8, 8), "an image without pixels");
  EXPECT_ERROR(augment(p.image(), {}, 1, 0, 0, 8, 0), "resample: sizes must lie in [1, 65536], got 0");
}

TEST(Mix, BetaNumbersHaveTheirMoments) {
  for (const double alpha : {0.001, 0.2, 0.8, 1.0, 3.0, 500.0}) {
    std::vector<double> values;
    Rng rng(1, Purpose::test);
    for (int i = 0; i < 20000; ++i) values.push_back(draw_beta(rng, alpha));
    const Moments moments(values);
    const double variance = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(moments.mean, 0.5, 4 * std::sqrt(variance / 20000)) << alpha;
    EXPECT_NEAR(moments.variance, variance, 0.04 * variance) << alpha;
    EXPECT_GE(*std::ranges::min_element(values), 0);
    EXPECT_LE(*std::ranges::max_element(values), 1);
  }
}

TEST(Mix, SwitchesAsTold) {
  const auto count = [](const MixOptions& options) {
    std::array<int, 3> kinds{};  // unmixed, mixup, CutMix
    for (long step = 0; step < 4000; ++step) {
      const Mix mix = draw_mix(options, 1, step, 20, 10);
      ++kinds.at(mix.cutmix ? 2 : mix.lambda < 1 ? 1 : 0);
    }
    return kinds;
  };
  const std::array<int, 3> both = count({.mixup_alpha = 0.8, .cutmix_alpha = 1, .probability = 0.5});
  EXPECT_NEAR(both[0], 2000, 130);  // four standard deviations
  EXPECT_NEAR(both[1], 1000, 110);
  EXPECT_NEAR(both[2], 1000, 110);
  EXPECT_EQ(count({.mixup_alpha = 0.8}), (std::array{0, 4000, 0}));
  EXPECT_EQ(count({.cutmix_alpha = 1}), (std::array{0, 0, 4000}));
  EXPECT_EQ(count({.mixup_alpha = 1, .cutmix_alpha = 1, .switch_probability = 0}), (std::array{0, 4000, 0}));
  EXPECT_EQ(count({}), (std::array{4000, 0, 0}));
}

TEST(Mix, BoxesAreCutOffAtTheBorderAndCounted) {
  std::vector<double> shares;
  for (long step = 0; step < 4000; ++step) {
    const Mix mix = draw_mix({.cutmix_alpha = 1}, 1, step, 30, 50);
    const Window& box = mix.box;
    ASSERT_TRUE(box.top >= 0 && box.left >= 0 && box.top + box.height <= 30 && box.left + box.width <= 50);
    ASSERT_NEAR(1 - mix.lambda, static_cast<double>(box.height * box.width) / 1500, 1e-12);
    shares.push_back(mix.lambda);
  }
  EXPECT_NEAR(Moments(shares).mean, 0.6884, 0.02);  // of 200,000 boxes of timm
  const Mix a = draw_mix({.mixup_alpha = 1}, 1, 5, 8, 8);
  EXPECT_EQ(draw_mix({.mixup_alpha = 1}, 1, 5, 8, 8).lambda, a.lambda);
  EXPECT_NE(draw_mix({.mixup_alpha = 1}, 2, 5, 8, 8).lambda, a.lambda);
  EXPECT_NE(draw_mix({.mixup_alpha = 1}, 1, 5 + (1L << 32), 8, 8).lambda, a.lambda);
}

TEST(Mix, PairsFirstWithLast) {
  std::vector<float> images;  // 5 images (2, 2, 3); pixel 100 i + its place
  for (int i = 0; i < 5; ++i)
    for (int k = 0; k < 12; ++k) images.push_back(static_cast<float>(100 * i + k));
  std::vector<float> mixed = images, cut = images;
  mix_images({.lambda = 0.75}, mixed.data(), 5, 2, 2, 3);
  mix_images({.lambda = 2 / 3.0, .cutmix = true, .box = {1, 1, 1, 2}}, cut.data(), 5, 2, 2, 3);
  for (int i = 0; i < 5; ++i)
    for (int k = 0; k < 12; ++k) {
      const double own = 100 * i + k, other = 100 * (4 - i) + k;
      EXPECT_NEAR(mixed[i * 12 + k], 0.75 * own + 0.25 * other, 1e-4);
      EXPECT_EQ(cut[i * 12 + k], k % 6 >= 4 ? other : own) << i << ' ' << k;
    }
}

TEST(Mix, TargetsFollowTheImages) {
  const std::vector<i64> labels{2, 0, 2, 1};  // pairs 2 with 1, and 0 with 2
  std::vector<float> out(4 * 4);
  soft_targets({.lambda = 0.7}, 0.1, labels.data(), 4, 4, out.data());
  const double want[] = {0.025, 0.295, 0.655, 0.025, 0.655, 0.025, 0.295, 0.025,
                         0.295, 0.025, 0.655, 0.025, 0.025, 0.655, 0.295, 0.025};
  for (int i = 0; i < 16; ++i) EXPECT_NEAR(out[i], want[i], 1e-6) << i;
  const std::vector<i64> same{1, 1};
  soft_targets({.lambda = 0.3}, 0, same.data(), 2, 2, out.data());
  EXPECT_EQ((std::vector<float>(out.begin(), out.begin() + 4)), (std::vector<float>{0, 1, 0, 1}));
  EXPECT_ERROR(soft_targets({}, 0, labels.data(), 4, 2, out.data()), "label 2 of image 0 is not below 2");
  EXPECT_ERROR(soft_targets({}, 1.5, labels.data(), 4, 4, out.data()), "label smoothing must lie in [0, 1], got 1.5");
  EXPECT_ERROR(draw_mix({.mixup_alpha = -1}, 1, 0, 8, 8), "mixing: alpha must lie in [0, 1000], got -1");
  EXPECT_ERROR(draw_mix({.probability = 2}, 1, 0, 8, 8), "mixing: a probability must lie in [0, 1], got 2");
}

}  // namespace
}  // namespace lookhere
