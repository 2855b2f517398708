// Resizing and augmentation against tests/golden/pillow.txt: hashes of what Pillow and torchvision make of the same
// images (tests/golden/pillow.py). Equal means every byte.
#include <algorithm>
#include <functional>
#include <map>
#include <sstream>
#include <tuple>

#include "tests/testing.h"
#include "tests/vit/pillow_picture.h"
#include "vit/data/augment/blur.h"
#include "vit/data/augment/colour.h"
#include "vit/data/augment/crop.h"
#include "vit/data/augment/levels.h"
#include "vit/data/augment/rand_augment.h"
#include "vit/data/resize.h"

namespace lookhere {
namespace {

// f(what, the line's numbers) for the lines that begin with one of these words; how many there were.
template <class F>
long for_each_case(const std::vector<std::string>& words, F f) {
  std::ifstream file("tests/golden/pillow.txt");
  long cases = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream text(line);
    std::string what;
    text >> what;
    if (std::ranges::find(words, what) == words.end()) continue;
    std::vector<double> numbers;
    for (double number = 0; text >> number;) numbers.push_back(number);
    SCOPED_TRACE(line);
    f(what, numbers);
    ++cases;
  }
  return cases;
}

TEST(Pillow, Resizes) {
  std::vector<std::uint8_t> scratch;
  const long cases = for_each_case({"bilinear", "bicubic"}, [&](const std::string& what, const auto& n) {
    ASSERT_EQ(n.size(), 10U);
    const auto at = [&](int i) { return static_cast<long>(n[i]); };
    const auto edge = [&](int i) { return static_cast<float>(n[i]); };
    const Picture in = picture(at(0), at(1), at(2));
    const Resample resample(what == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear, at(0), at(1),
                            {.left = edge(3), .top = edge(4), .right = edge(5), .bottom = edge(6)}, at(7), at(8));
    std::vector<std::uint8_t> out(3 * at(7) * at(8));
    resample(out.data(), in.image(), scratch);
    EXPECT_EQ(fnv(out), n[9]);
  });
  EXPECT_EQ(cases, 202);
}

TEST(Pillow, Operations) {
  const std::map<std::string, std::function<void(Picture&, double)>> operations{
      {"grayscale", [](Picture& p, double) { grayscale(p); }},
      {"mirror", [](Picture& p, double) { mirror(p); }},
      {"blur", gaussian_blur},
      {"hue", adjust_hue},
      {"brightness", adjust_brightness},
      {"contrast", adjust_contrast},
      {"saturation", adjust_saturation},
      {"sharpness", adjust_sharpness},
      {"solarize", solarize},
  };
  std::vector<std::string> words;
  for (const auto& [what, function] : operations) words.push_back(what);
  const long cases = for_each_case(words, [&](const std::string& what, const auto& n) {
    for (std::size_t i = 3; i + 1 < n.size(); i += 2) {
      Picture p = picture(static_cast<long>(n[0]), static_cast<long>(n[1]), static_cast<long>(n[2]));
      operations.at(what)(p, n[i]);
      EXPECT_EQ(fnv(p.pixels), n[i + 1]) << n[i];
    }
  });
  EXPECT_EQ(cases, 45);
}

TEST(Pillow, RandAugment) {
  const long cases = for_each_case({"rand_augment"}, [&](const std::string&, const auto& n) {
    ASSERT_EQ(n.size(), 7U);
    Picture p = picture(static_cast<long>(n[0]), static_cast<long>(n[1]), static_cast<long>(n[2]));
    rand_augment_operation(p, static_cast<int>(n[3]), static_cast<int>(n[4]), n[5] < 0);
    EXPECT_EQ(fnv(p.pixels), n[6]);
  });
  EXPECT_GT(cases, 110);
}

TEST(Pillow, Evaluation) {
  const long cases = for_each_case({"evaluation"}, [&](const std::string&, const auto& n) {
    ASSERT_EQ(n.size(), 5U);
    const Picture in = picture(static_cast<long>(n[0]), static_cast<long>(n[1]));
    const Picture out = evaluation_view(in.image(), static_cast<long>(n[2]), static_cast<long>(n[3]));
    EXPECT_EQ(fnv(out.pixels), n[4]);
  });
  EXPECT_EQ(cases, 5);
}

TEST(Resampling, RefusesWrongSizes) {
  const auto bilinear = Interpolation::bilinear;
  EXPECT_ERROR(Resample(bilinear, 0, 4, 2, 2), "resample: sizes must lie in [1, 65536], got 0");
  EXPECT_ERROR(Resample(bilinear, 4, 4, 2, 65537), "got 65537");
  EXPECT_ERROR(Resample(bilinear, 4, 4, {0, 0, 4.5F, 4}, 2, 2), "the box must lie in [0, 4], got 0 to 4.5");
  EXPECT_ERROR(Resample(bilinear, 4, 4, {0, 2, 4, 2}, 2, 2), "got 2 to 2");
  EXPECT_ERROR(Resample(bilinear, 4, 4, {-1, 0, 4, 4}, 2, 2), "got -1 to 4");
  EXPECT_ERROR(Resample(bilinear, 4, 4, {std::nanf(""), 0, 4, 4}, 2, 2), "got nan to 4");
}

// The release resizes floats with torch, which vit/data/resize.h equals.
TEST(Evaluation, IsWithinOneGreyLevelOfFloats) {
  for (const auto& [height, width, size] : {std::tuple(50L, 70L, 32L), {91L, 45L, 40L}, {20L, 30L, 40L}}) {
    const Picture p = picture(height, width), out = evaluation_view(p.image(), size, size);
    const double factor = static_cast<double>(size) / static_cast<double>(std::min(height, width));
    const long h = static_cast<long>(static_cast<double>(height) * factor);
    const long w = static_cast<long>(static_cast<double>(width) * factor);
    const Resize resize(height, width, h, w);
    std::vector<float> in(p.pixels.begin(), p.pixels.begin() + p.plane()), whole(h * w), scratch(resize.scratch_size());
    resize(whole.data(), in.data(), 1, scratch.data());
    const long top = std::lrint((h - size) / 2.0), left = std::lrint((w - size) / 2.0);
    for (long y = 0; y < size; ++y)
      for (long x = 0; x < size; ++x)
        ASSERT_NEAR(out.pixels[y * size + x], whole[(y + top) * w + x + left], 1.01) << y << ' ' << x;
  }
}

TEST(Evaluation, PadsWhatTruncationTookAway) {
  const Picture p{std::vector<std::uint8_t>(49 * 60, 200), 1, 49, 60};
  const Picture out = evaluation_view(p.image(), 6, 8);  // 6 x 7 pixels: one row above and below, a column to the right
  for (long y = 0; y < 8; ++y)
    for (long x = 0; x < 8; ++x) EXPECT_EQ(out.pixels[y * 8 + x], y >= 1 && y < 7 && x < 7 ? 200 : 0) << y << ' ' << x;
  EXPECT_ERROR(evaluation_view(p.image(), 8, 0), "evaluation: sizes must lie in [1, 65536], got 0");
  EXPECT_ERROR(evaluation_view(p.image(), 65537, 8), "evaluation: sizes must lie in [1, 65536], got 65537");
  EXPECT_ERROR(evaluation_view(picture(0, 5).image(), 8, 8), "evaluation: an image without pixels");
}

}  // namespace
}  // namespace lookhere
