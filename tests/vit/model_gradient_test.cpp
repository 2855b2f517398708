// The gradient of the whole model with respect to every parameter and the images, against differences in f64.
#include <numeric>

#include "tests/vit/model_cases.h"

namespace lookhere {
namespace {

// An encoding as none of the registry's is: learned vectors, turned q and k, and a learned bias by offset.
class EveryHook : public PositionEncoding {
 public:
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override {
    const auto init = [](Init& init, const Shape& shape) { return init.truncated_normal(shape); };
    std::vector<PositionParameter> all{{"pos_embed", {z.grid.patches(), z.dim}, init}};
    for (long layer = 0; layer < z.depth; ++layer)
      all.push_back({"slope." + std::to_string(layer), {z.heads, 1}, init});
    return all;
  }
  Var embed(const PositionSizes& z, std::span<const Var> parameters, Grid grid, Dtype) const override {
    const Var table = resize_grid(reshape(parameters[0], {1, z.grid.patches(), z.dim}), z.grid, grid);
    return reshape(table, {grid.patches(), z.dim});
  }
  Rotation rotate(const PositionSizes& z, Grid grid, Dtype dtype) const override {
    return position_preset("rope")->rotate(z, grid, dtype);
  }
  // slope · |offset|, with a slope for each head
  Var table(const PositionSizes& z, std::span<const Var> parameters, Grid grid, long layer) const override {
    const long height = 2 * grid.y - 1, width = 2 * grid.x - 1;
    Tensor distances = empty({height * width, 1}, Dtype::f64);
    for (long i = 0; i < height * width; ++i)
      distances.host<double>()[i] = std::hypot(i / width - grid.y + 1, i % width - grid.x + 1);
    return reshape(linear(parameters[1 + layer], Var(distances)), {z.heads, height, width});
  }
  nlohmann::json to_json() const override { return {{"type", "every hook"}}; }
};

PositionConfig learned_slopes(LookHereConfig config) {
  config.learned_layer_slopes = true;
  return lookhere_position(config);
}

struct Case {
  const char* name;
  ViTConfig config;
  Shape images;
  Pass pass;
};

std::vector<Case> cases() {
  const Shape trained{2, 2, 4, 6};
  std::vector<Case> all;
  const auto add = [&](const char* name, const PositionConfig& position, long heads = 12) -> Case& {
    return all.emplace_back(Case{name, small_config(position, heads), trained, {}});
  };
  add("lh45, mean pooling", position_preset("lh45")).config.pool = Pooling::mean;
  Case& linear = add("lh90 in our layout, linear head, no LayerScale", position_preset("lh90"), 6);
  linear.config.head = HeadType::linear, linear.config.layer_scale = false;
  add("swiglu", position_preset("lh45"), 3).config.activation = "swiglu";
  Case& dropped = add("swiglu with dropout", position_preset("none"), 1);
  dropped.config.activation = "swiglu", dropped.pass = {.dropout = 0.3, .seed = 5, .step = 6};
  add("silu", position_preset("none"), 1).config.activation = "silu";
  ViTConfig& rms = add("RMSNorm everywhere, no biases", position_preset("none"), 2).config;
  rms.rms_norm = rms.embed_norm = rms.sub_norm = rms.qk_norm = true, rms.proj_bias = false, rms.activation = "swiglu";
  ViTConfig& inner = add("norms inside, pooling over all tokens", position_preset("none"), 2).config;
  inner.sub_norm = inner.embed_norm = inner.pool_include_prefix = true, inner.pool = Pooling::map;
  add("filled masks",
      lookhere_position(
          {.directions = {"halves-diagonals-none"}, .distance = DistancePower::sqrt, .fill = MaskFill::max}));
  add("a list of layers, without rounding",
      lookhere_position(
          {.directions = {"zerotriangles", "center"}, .distance = DistancePower::square, .round_to_bf16 = false}),
      4);
  for (const Shape& images : {trained, Shape{1, 2, 8, 6}})
    add("learned layer slopes", learned_slopes({.directions = {"corners-none"}, .layer_slopes = {1.5, 0.5}}), 6)
        .images = images;
  add("alibi at another resolution", position_preset("alibi"), 8).images = {1, 2, 8, 4};
  // Of every encoding in the list, also those without a line of their own.
  for (const PositionType& type : position_types())
    for (const std::string& name : type.names) {
      if (type.json_type == "lookhere" && name != "manhattan" && name != "axial") continue;
      for (const Shape& images : {trained, Shape{1, 2, 8, 6}})
        all.emplace_back(Case{name.c_str(), small_config(position_preset(name), 3), images, {}});
    }
  add("every hook at once", PositionConfig(std::make_shared<EveryHook>()), 3);
  add("every hook at another resolution", PositionConfig(std::make_shared<EveryHook>()), 3).images = {2, 2, 8, 6};
  add("none, one head", position_preset("none"), 1).config.pool = Pooling::mean;
  ViTConfig& norms = add("registers, every norm, no biases", position_preset("learned"), 3).config;
  norms.registers = 2, norms.pre_norm = norms.qk_norm = true, norms.patch_bias = norms.qkv_bias = false;
  norms.final_norm = FinalNorm::pooled, norms.pool = Pooling::mean, norms.activation = "gelu_tanh";
  ViTConfig& without = add("no class token, no final norm, no head", position_preset("lh45")).config;
  without.class_token = false, without.final_norm = FinalNorm::none, without.pool = Pooling::mean;
  without.head = HeadType::none, without.classes = without.dim;
  ViTConfig& distilled = add("distilled", position_preset("rope"), 3).config;
  distilled.distilled = true, distilled.head = HeadType::linear, distilled.activation = "quick_gelu";
  add("sigmoid attention", position_preset("lh45")).config.attention = AttentionWeights::sigmoid;
  Case& sigmoid = add("sigmoid attention with a parabola", position_preset("pape"), 3);
  sigmoid.config.attention = AttentionWeights::sigmoid, sigmoid.images = {1, 2, 8, 6};
  add("attention pooling", position_preset("learned"), 2).config.pool = Pooling::map;
  add("dropout and DropPath", position_preset("lh180")).pass = {.drop_path = 0.3, .dropout = 0.2, .seed = 5, .step = 6};
  return all;
}

// All that the logits depend on, as one long vector: the parameters, then the images.
class Point {
 public:
  explicit Point(const Case& c)
      : case_(c), model_(c.config, std::nullopt, Dtype::f64), images_(rule_images(c.images, Dtype::f64), true) {
    fill_by_rule(model_);
    leaves_ = parameters_of(model_);
    leaves_.push_back({"images", images_});
    for (std::size_t leaf = 0; leaf < leaves_.size(); ++leaf)
      for (long i = 0; i < leaves_[leaf].var.value().numel(); ++i)
        at_.push_back(leaves_[leaf].var.value().host<double>() + i), leaf_of_.push_back(leaf);
    weights_ = random(logits().shape(), 77);
  }

  std::vector<double> gradient() {
    Pass pass = case_.pass;
    weigh(model_(images_, pass), weights_).backward();
    std::vector<double> all;
    for (const Parameter& leaf : leaves_) {
      const Tensor& grad = leaf.var.grad();
      EXPECT_TRUE(grad.defined() && grad.shape() == leaf.var.shape()) << leaf.name;
      if (grad.defined()) all.insert(all.end(), grad.host<double>(), grad.host<double>() + grad.numel());
    }
    return all;
  }

  // The derivative along Σ direction[i]·e[index[i]], by five points: the error is about h⁴·f⁽⁵⁾/30 + ε·f/h.
  double difference(const std::vector<std::size_t>& index, const std::vector<double>& direction) {
    constexpr double kStep = 0x1p-10;
    std::vector<double> before;
    for (const std::size_t i : index) before.push_back(*at_[i]);
    const auto moved = [&](double steps) {
      for (std::size_t k = 0; k < index.size(); ++k) *at_[index[k]] = before[k] + steps * kStep * direction[k];
      return logits();
    };
    const Tensor a = moved(-2), b = moved(-1), c = moved(1), d = moved(2);
    moved(0);
    double sum = 0;
    for (long k = 0; k < weights_.numel(); ++k) {
      const auto y = [k](const Tensor& t) { return t.host<double>()[k]; };
      sum += weights_.host<double>()[k] * (8 * (y(c) - y(b)) - (y(d) - y(a))) / (12 * kStep);
    }
    return sum;
  }

  std::size_t size() const { return at_.size(); }
  // A random element of a random leaf: otherwise the small ones would never be drawn.
  std::size_t coordinate(Rng& rng) const {
    const std::size_t leaf = rng.below(static_cast<std::uint32_t>(leaves_.size()));
    const auto [first, last] = std::equal_range(leaf_of_.begin(), leaf_of_.end(), leaf);
    return first - leaf_of_.begin() + rng.below(static_cast<std::uint32_t>(last - first));
  }
  const std::string& name_of(std::size_t i) const { return leaves_[leaf_of_[i]].name; }

 private:
  Tensor logits() {
    const NoGrad no_grad;
    Pass pass = case_.pass;
    return model_(images_, pass).value();
  }
  const Case& case_;
  ViT model_;
  Var images_;
  std::vector<Parameter> leaves_;
  std::vector<double*> at_;
  std::vector<std::size_t> leaf_of_;
  Tensor weights_;
};

double error(double got, double want) { return std::abs(got - want) / std::max(std::abs(want), 1e-3); }

TEST(ModelGradient, CoordinatesAndDirections) {
  const Threads one(1);  // the model is too small to share
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    Point point(c);
    const std::vector<double> gradient = point.gradient();
    ASSERT_EQ(gradient.size(), point.size());
    Rng rng(2024, Purpose::test);
    for (int i = 0; i < 200; ++i) {
      const std::size_t at = point.coordinate(rng);
      const double want = point.difference({at}, {1});
      ASSERT_LE(error(gradient[at], want), 1e-6) << point.name_of(at) << ": " << gradient[at] << ", wanted " << want;
    }
    std::vector<std::size_t> all(point.size());
    std::iota(all.begin(), all.end(), 0);
    for (int i = 0; i < 20; ++i) {
      std::vector<double> direction;
      double length = 0;
      for (std::size_t k = 0; k < all.size(); ++k)
        direction.push_back(rng.normal()), length += std::pow(direction[k], 2);
      for (double& x : direction) x /= std::sqrt(length);
      const double got = std::inner_product(gradient.begin(), gradient.end(), direction.begin(), 0.0);
      const double want = point.difference(all, direction);
      ASSERT_LE(error(got, want), 1e-6) << "direction " << i << ": " << got << ", wanted " << want;
    }
  }
}

}  // namespace
}  // namespace lookhere
