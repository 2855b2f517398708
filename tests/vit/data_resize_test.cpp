// Bilinear resizing against vectors worked out by hand.
#include "vit/data/resize.h"

#include "tests/testing.h"

namespace lookhere {
namespace {

// One channel.
std::vector<float> resize(const std::vector<float>& in, long h, long w, long out_h, long out_w) {
  const Resize resize(h, w, out_h, out_w);
  std::vector<float> out(out_h * out_w), scratch(resize.scratch_size());
  resize(out.data(), in.data(), 1, scratch.data());
  return out;
}
void expect_near(const std::vector<float>& got, const std::vector<double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-5) << i;
}

TEST(Resize, KnownVectors) {
  const struct {
    std::vector<float> in;
    long out;
    std::vector<double> want;
  } cases[] = {
      {{0, 4}, 4, {0, 1, 3, 4}},  // centres at 1/4, 3/4, ...: plain bilinear, clamped
      {{0, 6}, 3, {0, 3, 6}},
      {{1, 2, 4, 8}, 2, {13 / 7.0, 38 / 7.0}},  // weights 3 3 1 and 1 3 3, by 7: the triangle spans 2 to a side
      {{1, 2, 4, 8, 16, 32}, 2, {24 / 8.0, 132 / 8.0}},  // 2 3 2 1 0 0 and 0 0 1 2 3 2, by 8
      {{3, 5, 10}, 1, {41 / 7.0}},                       // 2 3 2, by 7
      {{7}, 5, {7, 7, 7, 7, 7}},
      {{1, 9, 5}, 3, {1, 9, 5}},
  };
  for (const auto& [in, out, want] : cases) {
    const long n = static_cast<long>(in.size());
    expect_near(resize(in, 1, n, 1, out), want);
    expect_near(resize(in, n, 1, out, 1), want);
  }
}

TEST(Resize, IsSeparable) {
  // (2, 4) to (4, 2): rows 2 -> 4 and columns 4 -> 2 of the vectors above.
  const std::vector<float> in{1, 2, 4, 8, 10, 20, 40, 80};
  std::vector<double> want;
  for (double weight : {0.0, 0.25, 0.75, 1.0})
    for (double value : {13 / 7.0, 38 / 7.0}) want.push_back(value * (1 - weight) + 10 * value * weight);
  expect_near(resize(in, 2, 4, 4, 2), want);
}

TEST(Resize, KeepsConstantsAndRamps) {
  for (long n : {1, 2, 5, 16, 33})
    for (long out : {1, 3, 7, 16, 40, 100}) {
      expect_near(resize(std::vector<float>(n * n, 2.5F), n, n, out, out), std::vector<double>(out * out, 2.5));
      std::vector<float> ramp(n);
      for (long i = 0; i < n; ++i) ramp[i] = static_cast<float>(i) + 0.5F;
      const std::vector<float> got = resize(ramp, 1, n, 1, out);
      const double scale = static_cast<double>(n) / static_cast<double>(out);
      for (long i = 0; i < out; ++i) {
        const double centre = scale * (static_cast<double>(i) + 0.5), support = std::max(1.0, scale);
        if (centre - support >= 0 && centre + support <= static_cast<double>(n)) {
          EXPECT_NEAR(got[i], centre, 0.05) << n << " to " << out;
        }
      }
    }
}

TEST(Resize, TreatsChannelsAlike) {
  const Resize half(4, 6, 2, 3);
  const Tensor in = random({3, 4, 6}, 1, Dtype::f32);
  std::vector<float> out(3 * 2 * 3), scratch(half.scratch_size());
  half(out.data(), in.host<float>(), 3, scratch.data());
  for (long c = 0; c < 3; ++c) {
    const float* plane = in.host<float>() + c * 24;
    const std::vector<float> alone = resize({plane, plane + 24}, 4, 6, 2, 3);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), out.begin() + c * 6));
  }
}

TEST(Resize, RefusesEmptySizes) {
  EXPECT_ERROR(Resize(0, 4, 2, 2), "resize: sizes must be at least 1, got 0 to 2");
  EXPECT_ERROR(Resize(4, 4, 2, -1), "got 4 to -1");
}

}  // namespace
}  // namespace lookhere
