// Sizes that are no multiple of the patch, and images cut and padded to those that are.
#include "vit/eval/input_size.h"

#include "tests/testing.h"

namespace lookhere {
namespace {

using ::testing::ElementsAre;

std::pair<long, long> side(long asked, long patch, SizeRule rule) {
  const InputSide s = input_side(asked, patch, rule);
  return {s.resized, s.seen};
}

TEST(InputSize, FollowsTheRule) {
  using enum SizeRule;
  for (const SizeRule rule : {resize, crop, pad}) EXPECT_EQ(side(28, 4, rule), (std::pair{28L, 28L}));
  EXPECT_EQ(side(29, 4, resize), (std::pair{28L, 28L}));
  EXPECT_EQ(side(30, 4, resize), (std::pair{32L, 32L}));
  EXPECT_EQ(side(1, 4, resize), (std::pair{4L, 4L}));
  EXPECT_EQ(side(31, 4, crop), (std::pair{31L, 28L}));
  EXPECT_EQ(side(29, 4, pad), (std::pair{29L, 32L}));
  EXPECT_EQ(side(1, 4, pad), (std::pair{1L, 4L}));
  EXPECT_ERROR(input_side(3, 4, crop), "image size 3: cropped to whole patches of 4 pixels nothing is left");
  EXPECT_ERROR(input_side(0, 4, pad), "wanted at least 1 pixel");
}

std::vector<float> values(const Tensor& t) { return {t.host<float>(), t.host<float>() + t.numel()}; }

TEST(InputSize, ImagesAreCutAndPadded) {
  const Tensor image =
      from_vector(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 3, 3}, Device::cpu).to(Dtype::f32);
  EXPECT_THAT(values(fitted(image, 1, 1)), ElementsAre(5));
  EXPECT_THAT(values(fitted(image, 2, 2)), ElementsAre(1, 2, 4, 5));
  EXPECT_THAT(values(fitted(image, 4, 4)), ElementsAre(1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0, 0));
  EXPECT_THAT(values(fitted(image, 1, 4)), ElementsAre(4, 5, 6, 0));
  const Tensor planes = from_vector(std::vector<double>{1, 2, 3, 4}, {2, 2, 1, 1}, Device::cpu).to(Dtype::f32);
  EXPECT_THAT(values(fitted(planes, 1, 2)), ElementsAre(1, 0, 2, 0, 3, 0, 4, 0));
  EXPECT_ERROR(fitted(image.reshape({9}), 1, 1), "wanted images [b, c, y, x]");
}

TEST(InputSize, TheRuleIsStoredWithTheModel) {
  Preprocessing p{.mean = {0.5}, .std = {0.25}};
  EXPECT_EQ(to_json(p), R"({"mean": [0.5], "std": [0.25]})");
  for (const SizeRule rule : {SizeRule::resize, SizeRule::crop, SizeRule::pad}) {
    p.size_rule = rule;
    EXPECT_EQ(preprocessing_from_json(to_json(p), 1).size_rule, rule);
    EXPECT_EQ(size_rule_from_name(name_of(rule)), rule);
  }
  EXPECT_EQ(to_json(p), R"({"mean": [0.5], "std": [0.25], "size_rule": "pad"})");
  for (const char* rule : {"\"grow\"", "3", "null"})
    EXPECT_ERROR(preprocessing_from_json(concat(R"({"mean": [0], "std": [1], "size_rule": )", rule, "}"), 1), "size");
}

}  // namespace
}  // namespace lookhere
