// Head diversity, attention distance, patch similarity and the logit lens, by hand.
#include "vit/eval/heads.h"

#include <cmath>

#include "tests/testing.h"
#include "tests/vit/model_cases.h"
#include "vit/eval/attention_maps.h"
#include "vit/eval/logit_lens.h"

namespace lookhere {
namespace {

using ::testing::ElementsAre;

TEST(Heads, DiversityIsTheJensenShannonDivergence) {
  EXPECT_DOUBLE_EQ(jensen_shannon({{0.5, 0.5, 0}, {0.5, 0.5, 0}}), 0);
  EXPECT_DOUBLE_EQ(jensen_shannon({{1, 0}, {0, 1}}), std::log(2.0));
  EXPECT_DOUBLE_EQ(jensen_shannon({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}), std::log(3.0));
  // H(3/4, 1/4) - H(1/2, 1/2) / 2
  EXPECT_NEAR(jensen_shannon({{1, 0}, {0.5, 0.5}}),
              -0.75 * std::log(0.75) - 0.25 * std::log(0.25) - 0.5 * std::log(2.0), 1e-15);
}

TEST(Heads, DistanceIsInPatches) {
  const Grid grid{2, 3};
  EXPECT_DOUBLE_EQ(mean_distance({1, 0, 0, 0, 0, 0}, grid, 0), 0);
  EXPECT_DOUBLE_EQ(mean_distance({0, 0, 0.5, 0, 0, 0}, grid, 0), 2);  // the rest looks at other tokens
  EXPECT_DOUBLE_EQ(mean_distance({0.5, 0, 0, 0, 0, 0.5}, grid, 0), std::sqrt(5.0) / 2);
  EXPECT_DOUBLE_EQ(mean_distance({0, 0, 0, 0, 0, 0}, grid, 0), 0);
}

TEST(Heads, SimilarityIsTheMeanCosineOfPairs) {
  const float same[]{1, 2, 2, 4, 3, 6};
  EXPECT_NEAR(mean_cosine(same, 3, 2), 1, 1e-12);
  const float crossed[]{1, 0, 0, 5, -2, 0};  // 0, -1 and 0
  EXPECT_NEAR(mean_cosine(crossed, 3, 2), -1.0 / 3, 1e-12);
}

// From the rows of every query, and the tokens by another way.
TEST(Heads, OfAModelAreThoseOfItsRows) {
  for (const char* position : {"lh90", "learned", "gpsa"}) {
    ViTConfig config = small_config(position_preset(position), 6);
    ViT model(config, std::nullopt);
    fill_by_rule(model);
    const Tensor image = rule_images({1, 2, 8, 10}, Dtype::f32);
    const std::vector<LayerStatistics> all = layer_statistics(model, image);
    ASSERT_EQ(all.size(), 2U);
    const AttentionRows rows(model, image);
    for (long layer = 0; layer < 2; ++layer) {
      double diversity = 0, distance = 0;
      for (long query = 0; query < rows.tokens(); ++query) {
        std::vector<std::vector<double>> heads(6);
        for (long head = 0; head < 6; ++head) {
          rows.row(layer, head, query, heads[head]);
          double sum = 0;
          for (const double weight : heads[head]) sum += weight;
          EXPECT_NEAR(sum, 1, 1e-5);
          if (query > 0)
            distance += mean_distance({heads[head].begin() + 1, heads[head].end()}, rows.grid(), query - 1) / 6 / 20;
        }
        diversity += jensen_shannon(heads) / 21;
      }
      EXPECT_NEAR(all[layer].diversity, diversity, 1e-6) << position;
      EXPECT_NEAR(all[layer].distance, distance, 1e-9) << position;
      EXPECT_GE(all[layer].diversity, -1e-9);
      EXPECT_LE(all[layer].similarity, 1 + 1e-9);
    }
  }
}

TEST(LogitLens, TheThingIsWhereHalfOfAPatchIs) {
  const std::vector<std::uint8_t> mask{1, 0, 2, 2,   //
                                       1, 0, 2, 1,   //
                                       1, 1, 0, 0,   //
                                       1, 1, 0, 1};  //
  EXPECT_THAT(patches_of_thing(mask, 4, 4, {2, 2}), ElementsAre(true, false, true, false));
  EXPECT_ERROR(patches_of_thing(mask, 4, 4, {3, 2}), "wanted a mask of 4x4 pixels for 3x2 patches");
}

TEST(LogitLens, MeanIouIsOverClasses) {
  MeanIou iou(4);
  EXPECT_EQ(iou.percent(), 0);
  // Of class 0 two of three hit; class 1 hit once and taken once for 0's; nothing of 2 and 3 but one taken for 2.
  for (const auto& [label, taken] : {std::pair{0, 0}, {0, 0}, {0, 1}, {1, 1}, {1, 2}}) iou.add(label, taken);
  EXPECT_NEAR(iou.percent(), 100 * (2.0 / 3 + 1.0 / 3 + 0) / 3, 1e-12);
}

// In the last layer of a model that takes the mean of its patches, the mean of their logits is the model's answer, as
// norm and head come before and after it: the norm of each token, then a linear head.
TEST(LogitLens, PatchesOfTheLastLayerMakeTheAnswer) {
  ViTConfig config = small_config(position_preset("lh90"), 6);
  config.pool = Pooling::mean, config.head = HeadType::linear, config.final_norm = FinalNorm::tokens;
  ViT model(config, std::nullopt);
  fill_by_rule(model);
  const Tensor images = rule_images({3, 2, 8, 10}, Dtype::f32);
  Tensor logits;
  long blocks = 0;
  Pass pass{.on_block = [&](const Tensor& tokens) { logits = model.patch_logits(Var(tokens)).value(), ++blocks; }};
  const Tensor answer = model(Var(images), pass).value();
  EXPECT_EQ(blocks, config.depth);
  ASSERT_EQ(logits.shape(), (Shape{3, 20, config.classes}));
  for (long b = 0; b < 3; ++b)
    for (long c = 0; c < config.classes; ++c) {
      double mean = 0;
      for (long p = 0; p < 20; ++p)
        mean += static_cast<double>(logits.host<float>()[(b * 20 + p) * config.classes + c]) / 20;
      EXPECT_NEAR(answer.host<float>()[b * config.classes + c], mean, 1e-4);
    }
  const auto classes = patch_classes(model, images);
  ASSERT_EQ(classes.size(), static_cast<std::size_t>(config.depth));
  EXPECT_EQ(classes[0].size(), 60U);
  const float* row = logits.host<float>() + 7 * config.classes;
  EXPECT_EQ(classes.back()[7], std::max_element(row, row + config.classes) - row);
  config.pool = Pooling::map;
  EXPECT_ERROR(ViT(config, 0).patch_logits(Var(Tensor())), "wanted a model that classifies a token");
}

}  // namespace
}  // namespace lookhere
