// PaPE and PaPE-RI: attention with their five numbers against the paper's long form in f64.
#include "tests/vit/position_cases.h"

namespace lookhere {
namespace {

// A layer of attention in f64 with its bias in the paper's long form: 50 projections, each with its own parabola.
struct Long {
  SelfAttention attention;
  PositionSizes z;
  Grid grid;
  Tensor x;  // [1, T, D]

  Long(Grid on, long prefix, Init& init)
      : attention({.dim = 8,
                   .heads = 2,
                   .mlp_hidden = 8,
                   .activation = {},
                   .norm = {},
                   .layer_scale = false,
                   .layer_scale_init = 0},
                  init),
        z{.heads = 2, .depth = 2, .dim = 8, .grid = {2, 2}, .prefix = prefix},
        grid(on),
        x(random({1, prefix + on.patches(), 8}, 5)) {
    attention.qkv.weight.set_value(random({24, 8}, 6)), attention.proj.weight.set_value(random({8, 8}, 7));
  }
  double at(long token, bool column) const {
    const long patch = token - z.prefix;
    return patch < 0 ? 0 : static_cast<double>((column ? patch % grid.x : patch / grid.x) + 1);
  }
  // bias(head, query, key), before it is divided by √head size
  template <class F>
  std::vector<double> expected(F bias) const {
    const long tokens = x.shape()[1];
    const auto packed = to_vector<double>(attention.qkv(Var(x)).value());
    Tensor mixed = zeros({1, tokens, 8}, Dtype::f64);
    for (long h = 0; h < 2; ++h)
      for (long i = 0; i < tokens; ++i) {
        std::vector<double> weights(tokens);
        double sum = 0;
        for (long j = 0; j < tokens; ++j) {
          double logit = bias(h, i, j);
          for (long d = 0; d < 4; ++d) logit += packed[i * 24 + h * 4 + d] * packed[j * 24 + 8 + h * 4 + d];
          sum += weights[j] = std::exp(logit / 2);
        }
        for (long j = 0; j < tokens; ++j)
          for (long d = 0; d < 4; ++d)
            mixed.host<double>()[i * 8 + h * 4 + d] += weights[j] / sum * packed[j * 24 + 16 + h * 4 + d];
      }
    return to_vector<double>(attention.proj(Var(mixed)).value());
  }
  std::vector<double> got(const PositionConfig& config, const std::vector<Var>& inputs, long layer) const {
    const AttentionHeads heads{.heads = {}, .grid = grid, .relative = {}, .key = {}, .shift = {}, .plan = {}};
    const Rotation none;
    Pass pass;
    const LayerPosition position{
        .heads = heads, .rotation = none, .by_query = config->by_query(z, inputs, grid, layer)};
    return to_vector<double>(attention(Var(x), position, pass).value());
  }
  // row · token i + bias
  double drawn(const Var& weight, const Var& bias, long row, long i) const {
    double sum = bias.value().host<double>()[row];
    for (long d = 0; d < 8; ++d) sum += weight.value().host<double>()[row * 8 + d] * x.host<double>()[i * 8 + d];
    return sum;
  }
};
double softplus(double x) { return std::log(1 + std::exp(x)); }

TEST(Pape, IsItsLongForm) {
  Init init(3, Dtype::f64, Device::cpu, 0.5);
  const PositionConfig pape = position_preset("pape");
  for (const auto& [grid, prefix] : {std::pair(Grid{2, 2}, 1L), {Grid{3, 4}, 0L}, {Grid{1, 5}, 2L}}) {
    const Long layer(grid, prefix, init);
    std::vector<Var> inputs;
    for (const PositionParameter& p : pape->parameters(layer.z)) inputs.push_back(p.init(init, p.shape));
    for (const Tensor& constant : pape->constants(layer.z, grid, Dtype::f64)) inputs.emplace_back(constant);
    const Var* in = inputs.data() + 5;  // the second layer's
    EXPECT_EQ(in[0].shape(), Shape({100, 2}));
    const auto want = layer.expected([&](long h, long i, long j) {
      double bias = 0;
      for (long m = h * 50; m < h * 50 + 50; ++m) {
        const double* w = in[0].value().host<double>() + 2 * m;
        const auto projected = [&](long token) { return w[0] * layer.at(token, true) + w[1] * layer.at(token, false); };
        const double p = projected(i) - projected(j);
        bias += layer.drawn(in[3], in[4], m, i) * p - softplus(layer.drawn(in[1], in[2], m, i)) * p * p;
      }
      return bias;
    });
    EXPECT_LT(worst_error(layer.got(pape, inputs, 1), want), 1e-12);
  }
}

TEST(Pape, RotationInvariantIsItsFormula) {
  Init init(3, Dtype::f64, Device::cpu, 0.5);
  const PositionConfig pape = position_preset("pape-ri");
  std::set<double> fixed;
  for (const auto& [grid, prefix] : {std::pair(Grid{2, 2}, 1L), {Grid{3, 4}, 0L}}) {
    const Long layer(grid, prefix, init);
    std::vector<Var> inputs;
    for (const PositionParameter& p : pape->parameters(layer.z)) inputs.push_back(p.init(init, p.shape));
    for (const Tensor& constant : pape->constants(layer.z, grid, Dtype::f64)) inputs.emplace_back(constant);
    ASSERT_EQ(inputs.size(), 4U + 3);
    for (long l = 0; l < 2; ++l) {
      const double* spread = inputs[5 + l].value().host<double>();
      const double squares[2] = {spread[0], spread[3 * 2 + 1]};  // c² of both heads
      for (const double square : squares) {
        EXPECT_TRUE(square > 0 && square <= 0.5);
        fixed.insert(square);
      }
      const auto want = layer.expected([&](long h, long i, long j) {
        const double dx = layer.at(i, true) - layer.at(j, true), dy = layer.at(i, false) - layer.at(j, false);
        return -softplus(layer.drawn(inputs[2 * l], inputs[2 * l + 1], h, i)) * squares[h] * (dx * dx + dy * dy);
      });
      EXPECT_LT(worst_error(layer.got(pape, inputs, l), want), 1e-12);
    }
  }
  EXPECT_EQ(fixed.size(), 4U);  // of each layer and head its own, and the same on every grid
}

TEST(Pape, NeedsRoomInAHead) {
  ViTConfig config = small_config(position_preset("pape"), 1);
  config.dim = 251;
  EXPECT_ERROR(config.validate(), "pape: the head size (dim / heads) must be at most 250, got 251");
  config.position = position_preset("pape-ri");
  EXPECT_ERROR(config.validate(), "pape-ri: the head size (dim / heads) must be at most 250, got 251");
}

TEST(Pape, IsTheSameInBf16AndOnAGpu) {
  expect_same_everywhere(small_config(position_preset("pape"), 3));
  expect_same_everywhere(small_config(position_preset("pape-ri"), 3));
}

}  // namespace
}  // namespace lookhere
