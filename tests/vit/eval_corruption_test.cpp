// Corruptions against their formulas, JPEG against the decoder, shifts by hand.
#include "vit/eval/corruption.h"

#include <cmath>

#include "tests/testing.h"
#include "vit/data/photo/decode.h"
#include "vit/data/photo/encode.h"

namespace lookhere {
namespace {

const Preprocessing kPlain{.mean = {0}, .std = {1}};

Tensor image_of(const std::vector<double>& values, const Shape& shape) {
  return from_vector(values, shape, Device::cpu).to(Dtype::f32);
}
std::vector<float> values(const Tensor& t) { return {t.host<float>(), t.host<float>() + t.numel()}; }

TEST(Corruption, ContrastShrinksTowardsTheMean) {
  const Tensor image = image_of({0, 0.2, 0.6, 1}, {1, 1, 2, 2});  // mean 0.45
  const std::vector<float> weak = values(corrupted(image, kPlain, Corruption::contrast, 1));
  EXPECT_NEAR(weak[0], 0.45 - 0.45 * 0.4, 1e-6);
  EXPECT_NEAR(weak[3], 0.45 + 0.55 * 0.4, 1e-6);
  EXPECT_NEAR(values(corrupted(image, kPlain, Corruption::contrast, 5))[3], 0.45 + 0.55 * 0.05, 1e-6);
  // As the model is given it: (pixel - 0.5) / 0.25.
  const Tensor normalised = image_of({-2, -1.2, 0.4, 2}, {1, 1, 2, 2});
  EXPECT_NEAR(values(corrupted(normalised, {.mean = {0.5}, .std = {0.25}}, Corruption::contrast, 1))[3],
              (0.45 + 0.55 * 0.4 - 0.5) / 0.25, 1e-5);
}

// A step of 112 of 224 pixels: strength 1 has a deviation of 1 pixel.
TEST(Corruption, BlurIsGaussian) {
  std::vector<double> row(224);
  for (std::size_t i = 112; i < 224; ++i) row[i] = 1;
  std::vector<double> image;
  for (int y = 0; y < 3; ++y) image.insert(image.end(), row.begin(), row.end());
  const std::vector<float> blurred = values(corrupted(image_of(image, {1, 1, 3, 224}), kPlain, Corruption::blur, 1));
  double sum = 0, right = 0;
  for (int i = -4; i <= 4; ++i) sum += std::exp(-0.5 * i * i), right += i >= 1 ? std::exp(-0.5 * i * i) : 0;
  EXPECT_NEAR(blurred[224 + 111], right / sum, 1e-6);
  EXPECT_NEAR(blurred[224 + 50], 0, 1e-6);
  EXPECT_NEAR(blurred[0], 0, 1e-6);
  EXPECT_NEAR(blurred[223], 1, 1e-6);
}

TEST(Corruption, NoiseHasItsDeviationAndFollowsFromTheImage) {
  const Tensor image = image_of(std::vector<double>(2 * 64 * 64, 0.5), {2, 1, 64, 64});
  const std::vector<float> noisy = values(corrupted(image, kPlain, Corruption::noise, 2));
  double mean = 0, square = 0;
  for (const float v : noisy) mean += (v - 0.5) / 8192, square += (v - 0.5) * (v - 0.5) / 8192;
  EXPECT_NEAR(mean, 0, 0.005);
  EXPECT_NEAR(std::sqrt(square), 0.12, 0.003);
  EXPECT_EQ(noisy, values(corrupted(image, kPlain, Corruption::noise, 2)));
  EXPECT_TRUE(std::equal(noisy.begin(), noisy.begin() + 4096, noisy.begin() + 4096));  // equal images
  const std::vector<float> strong = values(corrupted(image, kPlain, Corruption::noise, 5));
  EXPECT_GE(*std::ranges::min_element(strong), 0);
  EXPECT_LE(*std::ranges::max_element(strong), 1);
}

TEST(Corruption, JpegIsOfItsQuality) {
  Rng rng(3, Purpose::test);
  for (const long channels : {1, 3}) {
    std::vector<std::uint8_t> pixels;
    std::vector<double> parts;
    for (long i = 0; i < channels * 16 * 24; ++i)
      pixels.push_back(static_cast<std::uint8_t>(rng.below(256))), parts.push_back(pixels.back() / 255.0);
    const Image image{.pixels = pixels.data(), .channels = channels, .height = 16, .width = 24};
    const Preprocessing plain{.mean = std::vector<float>(channels, 0), .std = std::vector<float>(channels, 1)};
    const std::vector<float> got =
        values(corrupted(image_of(parts, {1, channels, 16, 24}), plain, Corruption::jpeg, 3));
    const std::string file = jpeg_bytes(image, 15);
    std::vector<std::uint8_t> buffer;
    const Image want = decode_photo({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, "f", buffer);
    for (long i = 0; i < channels * 16 * 24; ++i) ASSERT_EQ(got[i], static_cast<float>(want.pixels[i]) / 255) << i;
    EXPECT_GT(jpeg_bytes(image, 90).size(), file.size());
  }
  const std::uint8_t pixels[2]{};
  EXPECT_ERROR(jpeg_bytes({.pixels = pixels, .channels = 2, .height = 1, .width = 1}, 50), "wanted 1 or 3 channels");
  EXPECT_ERROR(jpeg_bytes({.pixels = pixels, .channels = 1, .height = 1, .width = 1}, 0), "a quality from 1 to 100");
  EXPECT_ERROR(jpeg_bytes({.pixels = pixels, .channels = 1, .height = 0, .width = 1}, 50), "wanted sides from 1");
}

TEST(Corruption, RefusesOtherStrengths) {
  const Tensor image = image_of({0}, {1, 1, 1, 1});
  for (const long strength : {0, 6})
    EXPECT_ERROR(corrupted(image, kPlain, Corruption::blur, strength), "wanted a strength from 1 to 5");
  EXPECT_ERROR(corrupted(image, {.mean = {0, 0}, .std = {1, 1}}, Corruption::blur, 1), "wanted images [b, 2, y, x]");
  for (const Corruption each : kCorruptions) EXPECT_EQ(corrupted(image, kPlain, each, 1).shape(), image.shape());
}

TEST(Shift, MovesAndFillsWithTheMean) {
  const Tensor image = image_of({1, 2, 3, 4, 5, 6}, {1, 1, 2, 3});
  EXPECT_EQ(values(shifted(image, 0, 1)), (std::vector<float>{0, 1, 2, 0, 4, 5}));
  EXPECT_EQ(values(shifted(image, 1, -1)), (std::vector<float>{0, 0, 0, 2, 3, 0}));
  EXPECT_EQ(values(shifted(image, -1, 0)), (std::vector<float>{4, 5, 6, 0, 0, 0}));
  EXPECT_EQ(values(shifted(image, 5, 0)), std::vector<float>(6, 0));
  EXPECT_ERROR(shifted(image.reshape({6}), 0, 0), "wanted images [b, c, y, x]");
}

}  // namespace
}  // namespace lookhere
