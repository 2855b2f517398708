// LookHere with layer slopes that training changes.
#include <regex>

#include <fmt/format.h>

#include "nn/optim.h"
#include "tests/program.h"
#include "tests/vit/position_cases.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

PositionConfig with_learned(const char* preset, const LookHereConfig& changed = {}) {
  LookHereConfig config = lookhere_preset(preset);
  config.fill = changed.fill, config.distance = changed.distance, config.learned_layer_slopes = true;
  return lookhere_position(config);
}
PositionConfig without_rounding(const char* preset, MaskFill fill = MaskFill::inf) {
  LookHereConfig config = lookhere_preset(preset);
  config.round_to_bf16 = false, config.fill = fill;
  return lookhere_position(config);
}

// Also where the layout changes from layer to layer (3 heads), and where masks have finite values.
TEST(LearnedSlopes, BeginAsThePresets) {
  for (const long heads : {3, 12})
    for (const MaskFill fill : {MaskFill::inf, MaskFill::max})
      for (const char* preset : {"lh180", "lh45", "alibi", "axial"}) {
        ViT learned(small_config(with_learned(preset, {.fill = fill}), heads), 5, Dtype::f64);
        ViT fixed(small_config(without_rounding(preset, fill), heads), 5, Dtype::f64);
        EXPECT_EQ(weights_of(learned).size(), weights_of(fixed).size() + 2);
        for (const Shape& shape : {Shape{2, 2, 4, 6}, Shape{1, 2, 10, 8}}) {
          const Var images(rule_images(shape, Dtype::f64));
          EXPECT_LT(worst_error(to_vector<double>(learned(images).value()), to_vector<double>(fixed(images).value())),
                    1e-12)
              << preset << " with " << heads << " heads";
        }
      }
}

TEST(LearnedSlopes, OnePerLayerFromTheLayerSlopesOn) {
  const PositionConfig config = with_learned("lh90");
  const PositionSizes z{.heads = 4, .depth = 3, .dim = 8, .grid = {2, 2}};
  const std::vector<PositionParameter> parameters = config->parameters(z);
  ASSERT_EQ(parameters.size(), 3U);
  Init init(1, Dtype::f64, Device::cpu);
  for (long layer = 0; layer < 3; ++layer) {
    EXPECT_EQ(parameters[layer].name, concat("blocks.", layer, ".attn.layer_slope"));
    EXPECT_EQ(to_vector<double>(parameters[layer].init(init, parameters[layer].shape).value()),
              std::vector<double>{1.5 - 0.5 * static_cast<double>(layer)});
  }
  EXPECT_TRUE(position_preset("lh90")->parameters(z).empty());
  EXPECT_EQ(config->in_words(z, 0).slopes, "global slope 2, layer slopes learned, at first 1.5 to 0.5");
}

// The paper tunes the global slope of trained models: it scales what the layers have learned.
TEST(LearnedSlopes, TheGlobalSlopeScalesThem) {
  PositionOptions options;
  options["learned-slopes"] = "layer";
  const PositionConfig one = position_preset("lh90", options);
  options["global-slope"] = 4.0;
  const PositionConfig two = position_preset("lh90", options);
  EXPECT_TRUE(one == with_learned("lh90"));
  const PositionSizes z{.heads = 4, .depth = 1, .dim = 8, .grid = {2, 3}};
  const auto a = to_vector<double>(one->table(z, first_inputs(one, z, z.grid), z.grid, 0).value());
  const auto b = to_vector<double>(two->table(z, first_inputs(two, z, z.grid), z.grid, 0).value());
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(b[i], 2 * a[i]);
  EXPECT_GT(std::ranges::count(a, -kInf<double>), 0);
}

TEST(LearnedSlopes, AreLearnedSavedAndReadAgain) {
  const TemporaryFolder folder;
  ViTConfig config = small_config(with_learned("lh45"), 3);
  config.pool = Pooling::mean;  // a class token pays no distance
  ViT model(config, 5);
  AdamW optimizer(parameters_of(model), {});
  for (int step = 0; step < 3; ++step) {  // the last layer begins at 0, and so do the first gradients below it
    softmax_cross_entropy(model(Var(rule_images({2, 2, 4, 6}, Dtype::f32))), from_vector<i64>({2, 0}, {2})).backward();
    optimizer.step(0.01);
  }
  save_model(folder / "m", model);
  ViT loaded = load_model(folder / "m");
  EXPECT_TRUE(loaded.config().position == with_learned("lh45"));
  std::vector<double> loaded_slopes;
  for_each_parameter(loaded, [&](const std::string& name, const Var& v) {
    if (name.ends_with("layer_slope")) loaded_slopes.push_back(v.value().item());
  });
  ASSERT_EQ(loaded_slopes.size(), 2U);
  EXPECT_TRUE(loaded_slopes[0] != 1.5 && loaded_slopes[1] != 0.5);
  const std::string about = run_program({"info", folder / "m"}).out;
  EXPECT_TRUE(
      std::regex_search(about, std::regex(R"(; global slope 2, layer slopes learned, 1\.[45]\d+ to 0\.[45]\d+\n)")))
      << about;
  // Pictures are of what has been learned.
  const PositionSizes z = config.position_sizes();
  const PositionConfig shown = trained_position_of(Safetensors(folder / "m"));
  for (const long layer : {0, 1}) {
    const double slope = loaded_slopes.at(layer);
    EXPECT_EQ(shown->bias(z, layer)[0].head.layer_slope, 2 * slope);
    EXPECT_EQ(shown->in_words(z, layer).layer_slope, slope);
  }
  EXPECT_EQ(run_program({"masks", "--model", folder / "m", "--layer", "all", "--output", folder / "svg"}).code, 0);
  EXPECT_NE(read_file(folder / "svg").find(fmt::format("slope {:.3g}<", loaded_slopes[1])), std::string::npos);
  EXPECT_TRUE(std::regex_search(about, std::regex(R"(blocks\.1\.attn\.layer_slope +F32 +\[1\] = 0\.[45]\d+\n)")))
      << about;
  const Var images(rule_images({1, 2, 8, 6}, Dtype::f32));
  EXPECT_TRUE(same_bits(model(images).value(), loaded(images).value()));
}

TEST(LearnedSlopes, AreTheSameInBf16AndOnAGpu) { expect_same_everywhere(small_config(with_learned("lh45"), 3)); }

TEST(LearnedSlopes, Messages) {
  const auto validated = [](LookHereConfig config) {
    config.learned_layer_slopes = true;
    small_config(lookhere_position(config), 4).validate();
  };
  EXPECT_NO_THROW(validated({}));
  EXPECT_ERROR(validated({.layer_slopes = {1, 0}}), "lookhere: learned layer slopes must begin above 0");
  EXPECT_ERROR(validated({.global_slope = 0}), "and so must the global slope");
  EXPECT_ERROR(validated({.directions = {"center"}}), "want distances from the query, not from the center");
  PositionOptions options;
  options["learned-slopes"] = "head";
  EXPECT_ERROR(position_preset("lh90", options), "learned slopes: wanted none or layer, got \"head\"");
  EXPECT_ERROR(position_from_json({{"type", "lookhere"}, {"directions", "none"}, {"learned_slopes", 3}}),
               "'learned_slopes' must be a string");
}

}  // namespace
}  // namespace lookhere
