// Names of parameters, initial values, and the randomness of a training pass.
#include "nn/module.h"

#include <set>

#include "nn/layers.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

using Names = std::vector<std::string>;
Names names_of(auto& module) {
  Names names;
  for (const Parameter& p : parameters_of(module)) names.push_back(p.name);
  return names;
}

struct Pair {
  Var first, second;
  void visit(auto&& f) { f("first", first), f("second", second); }
};
struct Tree {
  Var root;
  std::vector<Pair> pairs;
  std::vector<Var> loose;
  void visit(auto&& f) { f("root", root), f("a.b", pairs), f("loose", loose); }
};

TEST(Module, NamesFollowTheTree) {
  const auto leaf = [] { return Var(zeros({1}), true); };
  Tree tree{leaf(), {{leaf(), leaf()}, {leaf(), {}}, {{}, {}}}, {leaf(), leaf()}};
  EXPECT_EQ(names_of(tree), (Names{"root", "a.b.0.first", "a.b.0.second", "a.b.1.first", "loose.0", "loose.1"}));
  Tree empty;
  EXPECT_EQ(names_of(empty), Names{});
  // The callback has the parameters themselves.
  for_each_parameter(tree, [](const std::string&, Var& p) { p.set_value(full({1}, 5)); });
  EXPECT_EQ(tree.pairs[1].first.value().item(), 5);
  parameters_of(tree)[1].var.set_value(full({1}, 6));
  EXPECT_EQ(tree.pairs[0].first.value().item(), 6);
}

TEST(Module, BlocksHaveTimmsNames) {
  Init init(1, Dtype::f32, Device::cpu);
  Block plain({.dim = 6,
               .heads = 2,
               .mlp_hidden = 8,
               .activation = {},
               .norm = {.eps = 1e-6},
               .layer_scale = false,
               .layer_scale_init = 1},
              init);
  EXPECT_EQ(names_of(plain), (Names{"norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias",
                                    "attn.proj.weight", "attn.proj.bias", "norm2.weight", "norm2.bias",
                                    "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias"}));
  Block scaled({.dim = 6,
                .heads = 2,
                .mlp_hidden = 8,
                .activation = {},
                .norm = {.eps = 1e-6},
                .layer_scale = true,
                .layer_scale_init = .5},
               init);
  const Names names = names_of(scaled);
  EXPECT_EQ(names.size(), 14U);
  EXPECT_EQ(names[6], "ls1.gamma");
  EXPECT_EQ(names[13], "ls2.gamma");
  EXPECT_EQ(scaled.ls2.gamma.value().host<float>()[5], 0.5F);
}

TEST(Init, SameSeedSameValues) {
  const auto draw = [](std::uint64_t seed, Dtype dtype) {
    Init init(seed, dtype, Device::cpu);
    return std::vector<Tensor>{init.truncated_normal({50}).value(), init.truncated_normal({50}).value(),
                               init.uniform({50}, 1).value()};
  };
  const std::vector<Tensor> a = draw(5, Dtype::f32), b = draw(5, Dtype::f32), c = draw(6, Dtype::f32);
  const std::vector<Tensor> wide = draw(5, Dtype::f64);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(same_bits(a[i], b[i]));
    EXPECT_FALSE(same_bits(a[i], c[i]));
    EXPECT_TRUE(same_bits(a[i], wide[i].to(Dtype::f32)));  // the dtype does not change what is drawn
  }
  EXPECT_FALSE(same_bits(a[0], a[1]));  // each parameter has a stream of its own
}

TEST(Init, AParametersValuesDoNotDependOnTheSizesBefore) {
  Init small(5, Dtype::f32, Device::cpu), large(5, Dtype::f32, Device::cpu);
  small.truncated_normal({3}), large.truncated_normal({1000});
  EXPECT_TRUE(same_bits(small.truncated_normal({7}).value(), large.truncated_normal({7}).value()));
}

TEST(Init, Distributions) {
  Init init(9, Dtype::f64, Device::cpu, 1);
  const Tensor normal = init.truncated_normal({20000}).value(), uniform = init.uniform({20000}, 0.25).value();
  double mean = 0, square = 0, low = 0, high = 0;
  for (long i = 0; i < 20000; ++i) {
    const double x = normal.host<double>()[i], y = uniform.host<double>()[i];
    EXPECT_LE(std::abs(x), 2);
    mean += x / 20000, square += x * x / 20000, low = std::min(low, y), high = std::max(high, y);
  }
  EXPECT_NEAR(mean, 0, 0.03);
  EXPECT_NEAR(square, 0.7737, 0.03);  // of a normal cut at ±2
  EXPECT_NEAR(low, -0.25, 1e-3);
  EXPECT_NEAR(high, 0.25, 1e-3);
  EXPECT_GE(low, -0.25);
  EXPECT_LT(high, 0.25);
  Init open(std::nullopt, Dtype::f32, Device::cpu);
  EXPECT_EQ(open.truncated_normal({3, 4}).shape(), (Shape{3, 4}));
  EXPECT_TRUE(open.uniform({2}, 1).requires_grad());
  EXPECT_EQ(open.constant({2}, 3).value().host<float>()[1], 3);
}

TEST(Pass, KeepsImagesWithTheRightProbability) {
  Pass off;
  EXPECT_FALSE(off.keep(8, Dtype::f32, Device::cpu).defined());
  const double p = 0.25;
  double sum = 0;
  std::set<std::vector<double>> patterns;
  for (std::uint32_t step = 0; step < 200; ++step) {
    Pass pass{.drop_path = p, .seed = 3, .step = step}, again = pass;
    const Tensor keep = pass.keep(50, Dtype::f64, Device::cpu);
    EXPECT_TRUE(same_bits(again.keep(50, Dtype::f64, Device::cpu), keep));
    for (const double factor : to_vector<double>(keep)) {
      EXPECT_TRUE(factor == 0 || factor == 1 / (1 - p)) << factor;
      sum += factor;
    }
    patterns.insert(to_vector<double>(keep));
    patterns.insert(to_vector<double>(pass.keep(50, Dtype::f64, Device::cpu)));  // the next site of the same pass
  }
  EXPECT_NEAR(sum / 10000, 1, 6 * std::sqrt(p / (1 - p) / 10000));
  EXPECT_EQ(patterns.size(), 400U);
}

TEST(Pass, DropsElementsWithTheRightProbability) {
  const double p = 0.3;
  const Var ones(full({100}, 1, Dtype::f64));
  Pass off;
  EXPECT_TRUE(same_bits(off.drop(ones).value(), ones.value()));
  double sum = 0;
  std::set<std::vector<double>> patterns;
  for (std::uint32_t step = 0; step < 100; ++step) {
    Pass pass{.dropout = p, .seed = 3, .step = step}, again = pass;
    const Tensor y = pass.drop(ones).value();
    EXPECT_TRUE(same_bits(again.drop(ones).value(), y));
    for (const double value : to_vector<double>(y)) {
      EXPECT_TRUE(value == 0 || std::abs(value - 1 / (1 - p)) < 1e-6) << value;
      sum += value;
    }
    patterns.insert(to_vector<double>(y));
    patterns.insert(to_vector<double>(pass.drop(ones).value()));
  }
  EXPECT_NEAR(sum / 10000, 1, 6 * std::sqrt(p / (1 - p) / 10000));
  EXPECT_EQ(patterns.size(), 200U);
}

}  // namespace
}  // namespace lookhere
