// Models of sigmoid attention: their shift on every grid, what fits them, and that a GPU gives the same.
#include "tests/vit/position_cases.h"

namespace lookhere {
namespace {

// -log of what one token of a head sees in the mean, the class token included; on a larger grid that is more.
TEST(SigmoidModel, ShiftIsByWhatHeadsSee) {
  const PositionSizes z{.heads = 4, .depth = 1, .dim = 16, .grid = {2, 2}, .prefix = 1, .sigmoid = true};
  const auto shift = [&](const char* name, Grid grid) {
    Init init(1, Dtype::f64, Device::cpu);
    return to_vector<double>(ModelPosition(position_preset(name), z, init).on(grid, Dtype::f64)->heads[0].shift);
  };
  for (const double each : shift("none", {2, 2})) EXPECT_DOUBLE_EQ(each, -std::log(5.0));
  for (const double each : shift("rope", {3, 3})) EXPECT_DOUBLE_EQ(each, -std::log(10.0));
  // Windows of 2x2 on 4x4: a patch sees four and the class token, which sees all 17.
  for (const double each : shift("window", {4, 4})) EXPECT_DOUBLE_EQ(each, -std::log((16 * 5 + 17) / 17.0));
  // Half of the heads see a row of 3 or a column of 2 on 2x3, beside the class token.
  EXPECT_DOUBLE_EQ(shift("axial", {2, 3})[0], -std::log((6 * 4 + 7) / 7.0));
  EXPECT_DOUBLE_EQ(shift("axial", {2, 3})[1], -std::log((6 * 3 + 7) / 7.0));
  Init init(1, Dtype::f64, Device::cpu);
  PositionSizes softmax = z;
  softmax.sigmoid = false;
  EXPECT_FALSE(ModelPosition(position_preset("none"), softmax, init).on({2, 2}, Dtype::f64)->heads[0].shift.defined());
}

TEST(SigmoidModel, IsNoSoftmaxOfPositions) {
  ViTConfig config = small_config(position_preset("gpsa"), 3);
  config.attention = AttentionWeights::sigmoid;
  EXPECT_ERROR(config.validate(), "gpsa: mixes two softmaxes, wanted --attention softmax");
  config.position = position_preset("rpe");
  EXPECT_ERROR(config.validate(),
               "rpe: what the class token as query adds to all keys is left out, and counts without");
  config.class_token = false, config.pool = Pooling::mean;
  EXPECT_NO_THROW(config.validate());
}

TEST(SigmoidModel, IsTheSameInBf16AndOnAGpu) {
  for (const char* name : {"none", "lh45", "rpe", "window", "pape"}) {
    SCOPED_TRACE(name);
    ViTConfig config = small_config(position_preset(name), 3);
    if (name == std::string("rpe")) config.class_token = false, config.pool = Pooling::mean;
    ViT softmax(config, std::nullopt);
    config.attention = AttentionWeights::sigmoid;
    expect_same_everywhere(config);
    ViT sigmoid(config, std::nullopt);
    fill_by_rule(softmax), fill_by_rule(sigmoid);
    const Var images(rule_images({2, 2, 8, 6}, Dtype::f32));
    EXPECT_GT(max_relative_error(softmax(images).value(), sigmoid(images).value()), 1e-3);
  }
}

}  // namespace
}  // namespace lookhere
