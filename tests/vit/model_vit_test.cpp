// The whole model: the authors' logits, names, sizes, initial values, resolutions, and what is dropped in training.
#include <map>
#include <numeric>
#include <set>

#include "tests/vit/model_cases.h"

namespace lookhere {
namespace {

ViTConfig golden_model(const PositionConfig& position) {
  return {.height = 64,
          .width = 64,
          .classes = 5,
          .dim = 96,
          .depth = 3,
          .heads = 12,
          .norm_eps = 1e-5,
          .layer_scale = true,
          .head = HeadType::mlp,
          .position = position};
}
std::vector<std::string> names_of(const nlohmann::json& order) {
  std::vector<std::string> names;
  for (const auto& entry : order) names.push_back(entry.at(0));
  return names;
}
Tensor logits_for(ViT& model, const Tensor& images) {
  const NoGrad evaluation;
  return model(Var(images)).value();
}

TEST(Model, TheRulesNumbers) {
  const auto& want = golden().at("tiny_model_forward").at("rule_check_u");
  for (long k = 0; k < 3; ++k) {
    EXPECT_EQ(rule_u(0, k), want.at("u(0,0..2)").at(k).get<double>());
    EXPECT_EQ(rule_u(999, k), want.at("u(999,0..2)").at(k).get<double>());
  }
  EXPECT_EQ(rule_u(5, 1000), want.at("u(5,1000)").get<double>());
}

TEST(Model, LogitsAreTheAuthors) {
  const auto& forward = golden().at("tiny_model_forward");
  const std::vector<std::string> own_order = names_of(forward.at("lookhere_param_order"));
  const std::map<std::string, const char*> names{{"1D-learn", "learned"}, {"2D-sincos", "sincos"},
                                                 {"2D-RoPE", "rope"},     {"Factorized", "factorized"},
                                                 {"Fourier", "fourier"},  {"RPE-learn", "rpe"}};
  long compared = 0;
  for (const char* method : {"LH-180", "LH-90", "LH-45", "2D-ALiBi", "1D-learn", "2D-sincos", "2D-RoPE", "Factorized",
                             "Fourier", "RPE-learn"})
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const auto& want = forward.at("models").at(method);
      const bool lookhere = want.contains("config");
      ViT model(
          golden_model(lookhere ? lookhere_position(golden_config(want["config"])) : position_preset(names.at(method))),
          std::nullopt, dtype);
      fill_by_rule(model, lookhere ? own_order : names_of(want.at("param_order")));
      const Tensor logits = logits_for(model, rule_images({1, 3, 64, 64}, dtype)).to(Dtype::f64);
      for (const char* key : {"logits_64x64", "logits_64x64(grid4)", "logits_64x64 explicit softmax path"})
        for (std::size_t c = 0; want.contains(key) && c < 5; ++c, ++compared)
          EXPECT_NEAR(logits.host<double>()[c], want[key].at(c).get<double>(), 1e-5) << method << " " << dtype;
    }
  EXPECT_EQ(compared, 2 * 5 * (4 * 2 + 6));  // two types, five classes; LookHere in two ways, the others in one
}

TEST(Model, NamesShapesAndOrder) {
  const auto& forward = golden().at("tiny_model_forward");
  ViT model(golden_model(lookhere_position({})), std::nullopt);
  nlohmann::json order = nlohmann::json::array();
  for (const Parameter& p : parameters_of(model))
    order.push_back({p.name, std::vector<long>(p.var.shape().begin(), p.var.shape().end())});
  EXPECT_EQ(order, forward.at("lookhere_param_order"));
  // With a learned table there is one tensor more, the same as in the authors' model.
  ViT learned(golden_model(position_preset("learned")), std::nullopt);
  std::map<std::string, Shape> shapes;
  for (const Parameter& p : parameters_of(learned)) shapes.emplace(p.name, p.var.shape());
  const auto& want = forward.at("models").at("1D-learn").at("param_order");
  EXPECT_EQ(shapes.size(), want.size());
  for (const auto& entry : want) EXPECT_EQ(shapes[entry[0]], Shape(entry[1].get<std::vector<long>>())) << entry;
}

// timm's counts (1.0.31), whose position table has one more row, for the class token.
TEST(Model, ParameterCounts) {
  struct Case {
    const char* preset;
    const char* position;
    long patch, depth, classes, want;
  };
  for (const Case& c : {Case{"vit_base_lookhere", "lh45", 16, 12, 1000, 91'101'160},
                        {"vit_base_lookhere", "alibi", 16, 12, 1000, 91'101'160},
                        {"vit_base_lookhere", "learned", 16, 12, 1000, 91'101'160 + 150'528},
                        {"vit_base_lookhere", "factorized", 16, 12, 1000, 91'101'160 + 21'504},
                        {"vit_base_lookhere", "fourier", 16, 12, 1000, 91'101'160 + 230'528},
                        {"vit_base_lookhere", "rpe", 16, 12, 1000, 91'101'160 + 12 * 8'784},
                        {"vit_tiny", "lh90", 16, 12, 1000, 5'679'592},
                        {"vit_small", "lh180", 16, 12, 1000, 21'975'016},
                        {"vit_tiny", "lookhere", 4, 12, 10, 5'350'282},
                        {"vit_tiny", "learned", 16, 12, 1000, 5'717'416 - 192},
                        {"vit_tiny", "learned", 16, 12, 10, 5'526'346 - 192},
                        {"vit_small", "learned", 16, 12, 1000, 22'050'664 - 384},
                        {"vit_small", "learned", 16, 12, 10, 21'669'514 - 384},
                        {"vit_base", "learned", 16, 12, 1000, 86'567'656 - 768},
                        {"vit_base", "learned", 16, 12, 10, 85'806'346 - 768},
                        {"vit_tiny", "none", 16, 12, 1000, 5'679'592}}) {
    ViTConfig config = model_preset(c.preset);
    config.position = position_preset(c.position);
    if (c.patch == 4) config.height = config.width = 32;
    config.patch = c.patch, config.classes = c.classes;
    EXPECT_EQ(ViT(config, std::nullopt).parameter_count(), c.want) << c.preset << " " << c.position;
  }
}

// Counted by hand; 17.6, 4.6 and 1.3 billion are DeiT's own figures (Touvron et al. 2021).
TEST(Model, MultiplyAdds) {
  const auto count = [](ViTConfig config, const std::string& position, Grid grid) {
    config.position = position_preset(position);
    return multiply_adds(config, grid);
  };
  const Grid usual{14, 14};
  EXPECT_EQ(count(model_preset("vit_base"), "none", usual), 17'563'828'224);
  EXPECT_NEAR(count(model_preset("vit_small"), "learned", usual), 4.6e9, 0.05e9);
  EXPECT_NEAR(count(model_preset("vit_tiny"), "rope", usual), 1.3e9, 0.05e9);

  ViTConfig small = model_preset("nano");
  small.height = small.width = 4, small.patch = 2, small.classes = 3, small.pool = Pooling::cls;
  small.dim = 4, small.depth = 1, small.heads = 2;
  // Patches, class token and they in the block, pairs, head.
  constexpr long kPatches = 4 * 4 * 4, kBlock = 5 * (4 * 4 * 4 + 2 * 4 * 8), kPairs = 2 * 2 * 5 * 5 * 2, kHead = 4 * 3;
  EXPECT_EQ(count(small, "none", {2, 2}), kPatches + kBlock + kPairs + kHead);
  small.position = position_preset("lh90");
  long seen = 0;
  for (const NamedHead& head : small.position->bias(small.position_sizes(), 0))
    seen += kernels::visible_pairs(head.head, {2, 8}, 1);
  EXPECT_LT(seen, 2 * 17 * 17);
  EXPECT_EQ(multiply_adds(small, {2, 8}), 16 * 4 * 4 + 17 * (kBlock / 5) + 2 * seen * 2 + kHead);

  small.position = position_preset("none");
  ViTConfig other = small;
  other.activation = "swiglu";
  EXPECT_EQ(multiply_adds(other, {2, 2}), kPatches + 5 * (4 * 4 * 4 + 4 * 8 + 4 * 4) + kPairs + kHead);
  other = small, other.head = HeadType::mlp;
  EXPECT_EQ(multiply_adds(other, {2, 2}), kPatches + kBlock + kPairs + 8 * (4 + 3));
  other.head = HeadType::none;
  EXPECT_EQ(multiply_adds(other, {2, 2}), kPatches + kBlock + kPairs);
  other = small, other.distilled = true;
  EXPECT_EQ(multiply_adds(other, {2, 2}), kPatches + 6 * (kBlock / 5) + 2 * 2 * 6 * 6 * 2 + 2 * kHead);
  other = small, other.pool = Pooling::map;
  EXPECT_EQ(multiply_adds(other, {2, 2}),
            kPatches + kBlock + kPairs + 2 * 5 * 4 * 4 + 2 * 4 * 4 * 4 + 2 * 4 * 8 + kHead);
}

TEST(Model, InitialValues) {
  ViTConfig config = model_preset("vit_base_lookhere");
  config.dim = 96, config.depth = 2;
  config.position = position_preset("learned");
  ViT model(config, 7), same(config, 7), other(config, 8);
  const std::vector<Parameter> same_parameters = parameters_of(same), other_parameters = parameters_of(other);
  std::size_t i = 0;
  for (const Parameter& p : parameters_of(model)) {
    const std::string& name = p.name;
    const Tensor value = p.var.value().to(Dtype::f64);
    const double* x = value.host<double>();
    const auto n = static_cast<double>(value.numel());
    const auto [low, high] = std::minmax_element(x, x + value.numel());
    const double mean = std::accumulate(x, x + value.numel(), 0.0) / n;
    const double square = std::inner_product(x, x + value.numel(), x, 0.0) / n;
    EXPECT_TRUE(same_bits(p.var.value(), same_parameters[i].var.value())) << name;
    const bool constant = *low == *high;
    EXPECT_EQ(same_bits(p.var.value(), other_parameters[i++].var.value()), constant) << name;
    const bool norm = name.find("norm") != std::string::npos;
    if (constant) {
      const double want = name == "head.fc2.bias"            ? -6.9
                          : name.ends_with("gamma")          ? 1e-4
                          : norm && name.ends_with("weight") ? 1
                                                             : 0;
      EXPECT_EQ(*low, want == 0 ? 0 : static_cast<float>(want)) << name;
      EXPECT_TRUE(norm || name.ends_with("gamma") || name.ends_with("bias") || name == "head.fc2.weight") << name;
    } else if (name.starts_with("patch_embed")) {  // uniform, as PyTorch's convolutions
      const double bound = 1 / std::sqrt(3 * 16 * 16);
      EXPECT_LE(std::max(-*low, *high), bound) << name;
      EXPECT_NEAR(std::sqrt(square), bound / std::sqrt(3), 0.2 * bound) << name;
    } else {  // six standard errors
      EXPECT_NEAR(mean, 0, 6 * 0.02 / std::sqrt(n)) << name;
      EXPECT_NEAR(std::sqrt(square), 0.02, 6 * 0.02 / std::sqrt(2 * n)) << name;
    }
  }
}

TEST(Model, OtherResolutions) {
  for (const char* position : {"lh45", "lh90", "alibi", "learned", "none"}) {
    ViT model(small_config(position_preset(position)), std::nullopt);
    fill_by_rule(model);
    const Tensor trained = rule_images({2, 2, 4, 6}, Dtype::f32);
    const Tensor first = logits_for(model, trained);
    std::set<float> seen{first.host<float>()[0]};
    for (const Shape& shape : {Shape{2, 2, 6, 4}, Shape{2, 2, 2, 2}, Shape{2, 2, 12, 10}, Shape{2, 2, 2, 14}}) {
      const Tensor logits = logits_for(model, rule_images(shape, Dtype::f32));
      EXPECT_EQ(logits.shape(), (Shape{2, 3}));
      for (long i = 0; i < 6; ++i) EXPECT_TRUE(std::isfinite(logits.host<float>()[i])) << position << shape;
      EXPECT_TRUE(seen.insert(logits.host<float>()[0]).second) << position << shape;
    }
    EXPECT_TRUE(same_bits(logits_for(model, trained), first)) << position;  // and back
  }
}

TEST(Model, ImagesThatDoNotFit) {
  ViT model(small_config(position_preset("none")), std::nullopt);
  const auto run = [&](const Shape& shape) { model(Var(zeros(shape))); };
  EXPECT_ERROR(run({2, 3, 4, 6}), "images must be [batch, 2, height, width], got [2, 3, 4, 6]");
  EXPECT_ERROR(run({2, 4, 6}), "images must be [batch, 2, height, width], got [2, 4, 6]");
  EXPECT_ERROR(run({1, 2, 4, 5}), "images must be divisible by the patch size 2, got 4x5");
  EXPECT_ERROR(run({1, 2, 0, 4}), "patchify: height and width must be multiples of the patch size 2, got 0x4");
}

// Without positions a ViT cannot tell how its patches are arranged; with LookHere it can.
TEST(Model, PatchesInAnotherOrder) {
  const Tensor images = rule_images({1, 2, 4, 6}, Dtype::f64);
  Tensor shuffled = empty_like(images);
  const long order[] = {4, 0, 3, 5, 2, 1};
  for (long channel = 0; channel < 2; ++channel)
    for (long patch = 0; patch < 6; ++patch)
      for (long i = 0; i < 4; ++i) {
        const auto at = [&](long p) { return channel * 24 + (p / 3 * 2 + i / 2) * 6 + p % 3 * 2 + i % 2; };
        shuffled.host<double>()[at(patch)] = images.host<double>()[at(order[patch])];
      }
  for (const Pooling pool : {Pooling::cls, Pooling::mean})
    for (const char* position : {"none", "learned", "alibi", "lh180", "lh90", "lh45"}) {
      ViTConfig config = small_config(position_preset(position));
      config.pool = pool;
      ViT model(config, std::nullopt, Dtype::f64);
      fill_by_rule(model);
      const double change = max_relative_error(logits_for(model, shuffled), logits_for(model, images));
      EXPECT_TRUE(std::string(position) == "none" ? change < 1e-11 : change > 1e-4) << position << ": " << change;
    }
}

TEST(Model, DroppingHappensInTrainingAlone) {
  ViT model(small_config(position_preset("lh90")), std::nullopt);
  fill_by_rule(model);
  const Tensor images = rule_images({4, 2, 4, 6}, Dtype::f32);
  const auto run = [&](Pass pass) { return model(Var(images), pass).value(); };
  const Tensor evaluated = logits_for(model, images);
  EXPECT_TRUE(same_bits(run({.seed = 3, .step = 4}), evaluated));
  for (const Pass& pass : {Pass{.drop_path = 0.5, .seed = 3, .step = 4}, Pass{.dropout = 0.2, .seed = 3, .step = 4}}) {
    const Tensor dropped = run(pass);
    EXPECT_FALSE(same_bits(dropped, evaluated));
    EXPECT_TRUE(same_bits(run(pass), dropped));  // a function of seed and step
    Pass other = pass;
    other.step = 5;
    EXPECT_FALSE(same_bits(run(other), dropped));
    other.step = 4, other.seed = 2;
    EXPECT_FALSE(same_bits(run(other), dropped));
    EXPECT_TRUE(same_bits(logits_for(model, images), evaluated));
  }
  // With every branch dropped only the embedding is left, as with LayerScale 0.
  const Tensor without_branches = run({.drop_path = 0.9999999, .seed = 1});
  for_each_parameter(model, [](const std::string& name, Var& p) {
    if (name.ends_with("gamma")) p.set_value(zeros_like(p.value()));
  });
  EXPECT_TRUE(same_bits(without_branches, logits_for(model, images)));
}

}  // namespace
}  // namespace lookhere
