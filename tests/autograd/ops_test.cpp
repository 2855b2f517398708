// Every operation: its gradient against differences in f64, and what its value must be where that is simple to say.
#include "autograd/ops.h"

#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

const Shape kShapes[] = {{1}, {3}, {2, 5}, {3, 1, 7}, {2, 3, 2, 3}};

TEST(Ops, PointwiseGradients) {
  for (const Shape& shape : kShapes) {
    const Tensor x = random(shape, 1), y = random(shape, 2);
    expect_gradients([](auto& v) { return add(v[0], v[1]); }, {x, y});
    expect_gradients([](auto& v) { return multiply(v[0], v[1]); }, {x, y});
    expect_gradients([](auto& v) { return scale(v[0], -1.5); }, {x});
    for (const Activation f : {Activation::gelu, Activation::silu})
      expect_gradients([f](auto& v) { return activate(scale(v[0], 4), f); }, {x});
    expect_gradients([](auto& v) { return tanh(scale(v[0], 3)); }, {x});
    expect_gradients([](auto& v) { return waves(scale(v[0], 3)); }, {x});
    expect_gradients([](auto& v) { return sum(v[0]); }, {x});
    expect_gradients([](auto& v) { return add(v[0], v[0]); }, {x});
    expect_gradients([](auto& v) { return multiply(v[0], v[0]); }, {x});
  }
}

TEST(Ops, AddBroadcastGradient) {
  const Tensor x = random({2, 3, 4}, 1);
  for (const Shape& shape : {Shape{}, Shape{4}, Shape{3, 4}, Shape{2, 3, 4}})
    expect_gradients([](auto& v) { return add(v[0], v[1]); }, {x, random(shape, 2)});
}

TEST(Ops, DropoutGradient) {
  for (const double p : {0., 0.3, 0.9})
    expect_gradients([p](auto& v) { return dropout(v[0], p, {.seed = 3, .a = 1, .b = 2}); }, {random({5, 7}, 1)});
}

TEST(Ops, DropoutMask) {
  const Var ones(full({100, 100}, 1, Dtype::f64));
  const DropoutKey key{.seed = 3, .a = 1, .b = 2};
  const Tensor y = dropout(ones, 0.25, key).value();
  double total = 0;
  for (const double value : to_vector<double>(y)) {
    ASSERT_TRUE(value == 0 || value == 1 / 0.75);
    total += value;
  }
  EXPECT_NEAR(total / 10000, 1, 4 * std::sqrt(0.25 / 0.75 / 10000));  // four standard deviations of the mean
  EXPECT_TRUE(same_bits(y, dropout(ones, 0.25, key).value()));
  EXPECT_FALSE(same_bits(y, dropout(ones, 0.25, {.seed = 4, .a = 1, .b = 2}).value()));
  EXPECT_FALSE(same_bits(y, dropout(ones, 0.25, {.seed = 3, .a = 0, .b = 2}).value()));
  EXPECT_FALSE(same_bits(y, dropout(ones, 0.25, {.seed = 3, .a = 1, .b = 3}).value()));
  EXPECT_EQ(dropout(ones, 0, key).value().raw(), ones.value().raw());  // nothing to do, nothing copied
}

TEST(Ops, ResidualGradient) {
  for (const auto& [images, tokens, cols] : {std::tuple{1L, 1L, 1L}, {3L, 2L, 5L}, {2L, 3L, 67L}}) {
    const Shape shape{images, tokens, cols};
    const Tensor x = random(shape, 1), branch = random(shape, 2), gamma = random({cols}, 3);
    const Tensor keep = zeros({images}, Dtype::f64);  // drops every image but the last
    keep.host<double>()[images - 1] = 1 / 0.9;
    for (const Tensor& k : {Tensor(), keep}) {
      expect_gradients([&](auto& v) { return residual(v[0], v[1], {}, k); }, {x, branch});
      expect_gradients([&](auto& v) { return residual(v[0], v[1], v[2], k); }, {x, branch, gamma});
      expect_gradients([&](auto& v) { return residual(v[0], v[0], v[1], k); }, {x, gamma});
    }
  }
}

TEST(Ops, LinearGradient) {
  for (const auto& [x, w] :
       {std::pair{Shape{1, 1}, Shape{1, 1}}, {{5}, {3, 5}}, {{4, 3}, {7, 3}}, {{2, 3, 9}, {5, 9}}}) {
    expect_gradients([](auto& v) { return linear(v[0], v[1]); }, {random(x, 1), random(w, 2)});
    expect_gradients([](auto& v) { return linear(v[0], v[1], v[2]); }, {random(x, 1), random(w, 2), random({w[0]}, 3)});
  }
}

constexpr MlpActivation kMlpActivations[] = {
    {}, {.function = Activation::silu}, {.function = Activation::silu, .gated = true}};

TEST(Ops, MlpGradient) {
  for (const auto& [rows, in, hidden, out] :
       {std::tuple{1L, 1L, 2L, 1L}, {3L, 2L, 6L, 4L}, {7L, 9L, 18L, 3L}, {2L, 16L, 34L, 16L}})
    for (const MlpActivation& activation : kMlpActivations)
      expect_gradients([&](auto& v) { return mlp(v[0], v[1], v[2], v[3], v[4], activation); },
                       {random({rows, in}, 1), random({hidden, in}, 2), random({hidden}, 3),
                        random({out, activation.gated ? hidden / 2 : hidden}, 4), random({out}, 5)});
}

TEST(Ops, GateGradient) {
  for (const Shape& shape : {Shape{2}, Shape{3, 8}, Shape{2, 3, 34}})
    for (const Activation f : {Activation::gelu, Activation::silu})
      expect_gradients([f](auto& v) { return gate(scale(v[0], 3), f); }, {random(shape, 1)});
}

TEST(Ops, MlpIsItsParts) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Var x(random({2, 5, 24}, 1, dtype), true), w1(random({40, 24}, 2, dtype), true),
        b1(random({40}, 3, dtype), true), w2(random({24, 40}, 4, dtype), true), b2(random({24}, 5, dtype), true);
    for (const Activation f : {Activation::gelu, Activation::silu}) {
      const Tensor got = mlp(x, w1, b1, w2, b2, {.function = f}).value();
      const Tensor want = linear(activate(linear(x, w1, b1), f), w2, b2).value();
      EXPECT_LT(worst_error(to_vector<double>(got.to(Dtype::f64)), to_vector<double>(want.to(Dtype::f64))),
                dtype == Dtype::f32 ? 1e-5 : 1e-13);
    }
  }
}

TEST(Ops, CastGradient) {
  const Var x(random({3, 5}, 1, Dtype::f32), true);
  const Var y = cast(x, Dtype::bf16);
  EXPECT_EQ(y.value().dtype(), Dtype::bf16);
  EXPECT_EQ(cast(x, Dtype::f32).value().raw(), x.value().raw());  // nothing to do, nothing copied
  sum(multiply(cast(y, Dtype::f32), cast(y, Dtype::f32))).backward();
  for (long i = 0; i < 15; ++i) {
    const float rounded = static_cast<float>(bf16(x.value().host<float>()[i]));
    EXPECT_EQ(x.grad().host<float>()[i], 2 * rounded);
  }
  expect_gradients([](auto& v) { return cast(v[0], Dtype::f64); }, {random({3, 5}, 1)});
}

// bf16 inside, f32 around: what comes out is what f32 gives, within bf16's rounding, and so are the gradients.
TEST(Ops, MixedPrecisionIsCloseToF32) {
  const Grid grid{3, 4};
  const AttentionHeads heads =
      make_attention_heads({{.view = view_of("tri_up"), .slope = 0.5}, {.view = view_of("left"), .slope = 0.5}, {}},
                           grid, Dtype::bf16, Device::cpu);
  const long dim = 24, tokens = grid.patches() + 1;
  std::vector<Tensor> inputs{random({2, tokens, dim}, 1, Dtype::f32)};
  for (const Shape& shape :
       {Shape{dim}, {dim}, {3 * dim, dim}, {3 * dim}, {dim, dim}, {dim}, {48, dim}, {48}, {dim, 48}, {dim}, {dim}})
    inputs.push_back(random(shape, inputs.size() + 1, Dtype::f32));
  const auto block = [&](Dtype inside) {
    std::vector<Var> v;
    for (const Tensor& input : inputs) v.emplace_back(input.clone(), true);
    const Var a = attention(linear(layer_norm(v[0], v[1], v[2], 1e-6F, inside), v[3], v[4]), 3, heads);
    const Var x = residual(v[0], linear(a, v[5], v[6]), v[11]);
    const Var y = residual(x, mlp(layer_norm(x, v[1], v[2], 1e-6F, inside), v[7], v[8], v[9], v[10]));
    EXPECT_EQ(y.value().dtype(), Dtype::f32);
    EXPECT_EQ(a.value().dtype(), inside);
    sum(multiply(y, y)).backward();
    std::vector<Tensor> results{y.value()};
    for (const Var& leaf : v) results.push_back(leaf.grad());
    return results;
  };
  const std::vector<Tensor> got = block(Dtype::bf16), want = block(Dtype::f32);
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].dtype(), Dtype::f32) << i;
    double difference = 0, size = 0;
    for (long k = 0; k < got[i].numel(); ++k) {
      const double w = want[i].host<float>()[k];
      difference += std::pow(got[i].host<float>()[k] - w, 2), size += w * w;
    }
    EXPECT_LT(std::sqrt(difference / size), 0.02) << "result " << i;
  }
}

// Images need no gradient: the engine must cope with one that is not computed.
TEST(Ops, LinearWithoutInputGradient) {
  const Var x(random({4, 3}, 1)), w(random({2, 3}, 2), true);
  sum(linear(x, w)).backward();
  EXPECT_FALSE(x.grad().defined());
  EXPECT_TRUE(w.grad().defined());
}

TEST(Ops, LinearOfNothing) {
  const Var x(zeros({0, 3}), true), w(random({2, 3}, 2, Dtype::f32), true);
  sum(linear(x, w)).backward();
  EXPECT_EQ(to_vector<float>(w.grad()), std::vector<float>(6, 0));
}

TEST(Ops, LayerNormGradient) {
  const auto op = [](auto& v) { return layer_norm(v[0], v[1], v[2], 1e-6F); };
  for (const Shape& shape : {Shape{3, 7}, Shape{1, 2}, Shape{7}, Shape{2, 3, 65}})
    expect_gradients(op, {random(shape, 1), random({shape.back()}, 2), random({shape.back()}, 3)});
  // One column: y = b, whatever x is.
  expect_gradients(op, {random({4, 1}, 1), random({1}, 2), random({1}, 3)});
}

TEST(Ops, RmsNormGradientAndValues) {
  const auto op = [](auto& v) { return rms_norm(v[0], v[1], 1e-6); };
  for (const Shape& shape : {Shape{3, 7}, Shape{1, 2}, Shape{7}, Shape{2, 3, 65}, Shape{4, 1}})
    expect_gradients(op, {random(shape, 1), random({shape.back()}, 2)});
  // The mean of the squares of 1 and 7 is 25; eps is kept in f64.
  const Var x(from_vector<double>({1, 7}, {2})), w(from_vector<double>({10, 100}, {2}));
  EXPECT_EQ(to_vector<double>(rms_norm(x, w, 0).value()), (std::vector<double>{2, 140}));
  EXPECT_DOUBLE_EQ(rms_norm(x, w, 1e-12).value().host<double>()[0], 10 / std::sqrt(25 + 1e-12));
}

// The float nearest to 0.1 is another number.
TEST(Ops, LayerNormKeepsItsEpsilon) {
  const Var x(from_vector<double>({-1, 1}, {2})), w(from_vector<double>({1, 1}, {2})), b(zeros({2}, Dtype::f64));
  EXPECT_DOUBLE_EQ(layer_norm(x, w, b, 0.1).value().host<double>()[1], 1 / std::sqrt(1.1));
}

TEST(Ops, AttentionGradientForEveryHead) {
  const std::vector<LookHereHead> all = every_head();
  for (const Grid grid : {Grid{1, 1}, {3, 3}, {2, 4}})
    for (const long prefix : {0, 1})
      for (std::size_t h = 0; h < all.size(); h += 6) {
        const AttentionHeads heads = make_attention_heads({all.begin() + h, all.begin() + std::min(h + 6, all.size())},
                                                          grid, Dtype::f64, Device::cpu);
        const long count = static_cast<long>(heads.heads.size()), tokens = grid.patches() + prefix;
        expect_gradients([&](auto& v) { return attention(v[0], count, heads); }, {random({1, tokens, 3 * count}, 1)});
      }
}

TEST(Ops, AttentionLearnedBiasGradient) {
  for (const Grid grid : {Grid{1, 1}, {2, 3}, {4, 4}})
    for (const long prefix : {0, 1}) {
      AttentionHeads heads;
      heads.grid = grid;
      expect_gradients(
          [&](auto& v) { return attention_learned(v[0], 2, heads, v[1]); },
          {random({2, grid.patches() + prefix, 3 * 2 * 3}, 1), random({2, 2 * grid.y - 1, 2 * grid.x - 1}, 2)});
    }
}

// Where a head does not look, the table says so, and the plan leaves it out.
TEST(Ops, AttentionLearnedBiasGradientOfDirectedHeads) {
  const Grid grid{3, 4};
  const std::vector<LookHereHead> all = every_head();
  for (std::size_t h = 0; h < all.size(); h += 2) {
    const AttentionHeads heads = make_attention_heads({all.begin() + h, all.begin() + std::min(h + 2, all.size())},
                                                      grid, Dtype::f64, Device::cpu);
    const long count = static_cast<long>(heads.heads.size());
    if (heads.key.defined()) continue;  // by key, and not by offset
    const Shape shape{count, 2 * grid.y - 1, 2 * grid.x - 1};
    Tensor unseen = zeros(shape, Dtype::f64);
    for (long i = 0; i < unseen.numel(); ++i)
      if (std::isinf(heads.relative.host<double>()[i])) unseen.host<double>()[i] = -kInf<double>;
    expect_gradients([&](auto& v) { return attention_learned(v[0], count, heads, add(v[1], Var(unseen))); },
                     {random({2, grid.patches() + 1, 3 * count * 3}, 1), random(shape, 2)});
  }
}

TEST(Ops, AttentionPrefixBiasGradient) {
  for (const Grid grid : {Grid{1, 1}, {2, 3}, {4, 5}})
    for (const long prefix : {1, 3}) {
      AttentionHeads heads;
      heads.grid = grid;
      expect_gradients([&](auto& v) { return attention_learned(v[0], 2, heads, v[1], v[2]); },
                       {random({2, grid.patches() + prefix, 3 * 2 * 3}, 1),
                        random({2, 2 * grid.y - 1, 2 * grid.x - 1}, 2), random({2, 2}, 3)});
    }
}

TEST(Ops, TakeTokensGradient) {
  for (const auto& part : {std::pair(0L, 2L), {1L, 3L}, {4L, 1L}, {0L, 5L}})  // clang 14 captures no bindings
    expect_gradients([&](auto& v) { return take_tokens(v[0], part.first, part.second); }, {random({2, 5, 3}, 1)});
}

// LookHere's own table given as a learned one changes nothing.
TEST(Ops, AttentionLearnedBiasIsAnyTable) {
  const Grid grid{4, 5};
  const AttentionHeads fixed = make_attention_heads(
      {{.view = view_of("up & left"), .slope = 0.5}, {.view = {}, .slope = 0.25}}, grid, Dtype::f64, Device::cpu);
  const Var qkv(random({2, 21, 3 * 2 * 4}, 1)), table(fixed.relative.reshape({2, 7, 9}));
  EXPECT_TRUE(same_bits(attention(qkv, 2, fixed).value(), attention_learned(qkv, 2, fixed, table).value()));
}

TEST(Ops, AttentionGradientForEveryShape) {
  const AttentionHeads one =
      make_attention_heads({{.view = view_of("tri_up"), .slope = 0.5}}, {2, 3}, Dtype::f64, Device::cpu);
  const AttentionHeads plain;
  for (const auto& [images, tokens, dim] : {std::tuple{1L, 6L, 1L}, {2L, 7L, 3L}, {1L, 9L, 10L}}) {
    const Tensor qkv = random({images, tokens, 3 * dim}, 1);
    for (const AttentionHeads& heads : {one, plain}) {
      expect_gradients([&](auto& v) { return attention(scale(v[0], 3), 1, heads); }, {qkv});
      expect_gradients([&](auto& v) { return attention_naive(scale(v[0], 3), 1, heads); }, {qkv});
    }
  }
}

// More tokens than one block has queries and keys.
TEST(Ops, AttentionIsItsOracle) {
  const AttentionHeads heads = make_attention_heads(every_head(), {9, 10}, Dtype::f64, Device::cpu);
  const long count = static_cast<long>(heads.heads.size());
  const Tensor qkv = random({2, 91, 3 * count * 4}, 1), weights = random({2, 91, count * 4}, 2);
  const Var fast(qkv, true), naive(qkv, true);
  const Var y = attention(fast, count, heads), want = attention_naive(naive, count, heads);
  EXPECT_LT(max_relative_error(y.value(), want.value(), 1), 1e-12);
  weigh(y, weights).backward();
  weigh(want, weights).backward();
  EXPECT_LT(max_relative_error(fast.grad(), naive.grad(), 1), 1e-12);
}

TEST(Ops, TokenGradients) {
  const Tensor x = random({2, 6, 5}, 1);
  expect_gradients([](auto& v) { return reshape(v[0], {3, 20}); }, {x});
  expect_gradients([](auto& v) { return prepend_token(v[0], v[1]); }, {random({1, 1, 5}, 2), x});
  expect_gradients([](auto& v) { return prepend_token(v[0], v[1]); }, {random({1, 1, 1}, 2), random({1, 1, 1}, 3)});
  expect_gradients([](auto& v) { return prepend_token(v[0], v[1]); }, {random({1, 3, 2}, 2), random({2, 2, 2}, 3)});
  expect_gradients([](auto& v) { return drop_tokens(v[0], 2); }, {random({2, 3, 4}, 4)});
  expect_gradients([](auto& v) { return take_features(v[0], 1, 3); }, {random({2, 3, 6}, 4)});
  expect_gradients(
      [](auto& v) {
        return join_features({v[0], v[1], v[0]});
      },
      {random({2, 3, 2}, 5), random({2, 3, 2}, 6)});
  for (const long index : {0, 3, 5}) expect_gradients([=](auto& v) { return select_token(v[0], index); }, {x});
  for (const long first : {0, 1, 5}) expect_gradients([=](auto& v) { return mean_tokens(v[0], first); }, {x});
  for (const auto& [shape, patch] : {std::pair{Shape{1, 1, 1, 1}, 1L}, {{2, 3, 4, 6}, 2L}, {{1, 2, 3, 6}, 3L}})
    expect_gradients([p = patch](auto& v) { return patchify(v[0], p); }, {random(shape, 1)});
  for (const auto& [from, to] :
       {std::pair<Grid, Grid>{{2, 3}, {4, 5}}, {{3, 2}, {1, 1}}, {{1, 1}, {2, 2}}, {{2, 2}, {2, 2}}})
    for (const GridFilter filter : {GridFilter::bilinear, GridFilter::bicubic, GridFilter::bicubic_antialias})
      expect_gradients([=, f = from, t = to](auto& v) { return resize_grid(v[0], f, t, filter); },
                       {random({1, from.patches(), 3}, 1)});
}

TEST(Ops, TokenValues) {
  const Var x(from_vector<double>({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2})), token(from_vector<double>({9, 10}, {1, 1, 2}));
  using Values = std::vector<double>;
  EXPECT_EQ(to_vector<double>(prepend_token(token, x).value()), (Values{9, 10, 1, 2, 3, 4, 9, 10, 5, 6, 7, 8}));
  EXPECT_EQ(to_vector<double>(select_token(x, 1).value()), (Values{3, 4, 7, 8}));
  EXPECT_EQ(to_vector<double>(mean_tokens(x).value()), (Values{2, 3, 6, 7}));
  EXPECT_EQ(to_vector<double>(mean_tokens(x, 1).value()), (Values{3, 4, 7, 8}));
}

using LabelLoss = Var (*)(const Var&, const Tensor&, double);
using SoftLoss = Var (*)(const Var&, const Tensor&);

TEST(Ops, LossGradients) {
  for (const auto& [batch, classes] : {std::pair{1L, 1L}, {3L, 4L}, {5L, 11L}}) {
    const Tensor logits = random({batch, classes}, 1), labels = empty({batch}, Dtype::i64);
    for (long i = 0; i < batch; ++i) labels.host<i64>()[i] = i * 5 % classes;
    for (const LabelLoss loss : {&softmax_cross_entropy, &binary_cross_entropy})
      for (const double smoothing : {0., 0.1})
        expect_gradients([&](auto& v) { return loss(scale(v[0], 5), labels, smoothing); }, {logits});
    const Tensor targets = random({batch, classes}, 2);  // any weights, even negative ones
    for (const SoftLoss loss : {&softmax_cross_entropy_soft, &binary_cross_entropy_soft})
      expect_gradients([&](auto& v) { return loss(scale(v[0], 5), targets); }, {logits});
  }
}

TEST(Ops, LossesOfExtremeLogitsAreFinite) {
  const Tensor labels = from_vector<i64>({0, 1, 0, 1}, {4});
  for (const Dtype dtype : {Dtype::f32, Dtype::f64})
    for (const LabelLoss loss : {&softmax_cross_entropy, &binary_cross_entropy}) {
      const Var x(from_vector<double>({100, -100, 100, -100, -100, 100, 100, 100}, {4, 2}).to(dtype), true);
      const Var y = loss(x, labels, 0.1);
      y.backward();
      EXPECT_TRUE(std::isfinite(y.value().item()));
      for (const double value : to_vector<double>(x.grad().to(Dtype::f64))) EXPECT_LE(std::abs(value), 0.25);
    }
}

TEST(Ops, LossIsTheMeanOverTheBatch) {
  const Var zero(zeros({4, 10}, Dtype::f64));
  const Tensor labels = from_vector<i64>({0, 3, 9, 5}, {4});
  EXPECT_NEAR(softmax_cross_entropy(zero, labels).value().item(), std::log(10), 1e-14);
  EXPECT_NEAR(binary_cross_entropy(zero, labels).value().item(), 10 * std::log(2), 1e-14);  // summed over classes
}

// A small network in f32 agrees with itself in f64: no operation loses more than rounding.
TEST(Ops, SinglePrecisionFollowsDouble) {
  const auto gradient = [](Dtype dtype) {
    const AttentionHeads heads = make_attention_heads(every_head(), {3, 4}, dtype, Device::cpu);
    const long count = static_cast<long>(heads.heads.size());
    const Var x(random({2, 13, 3 * count}, 1, dtype), true), w(random({6, count}, 2, dtype), true);
    const Var gamma(random({6}, 3, dtype), true), beta(random({6}, 4, dtype), true);
    const Var y = layer_norm(linear(attention(x, count, heads), w), gamma, beta, 1e-3F);
    sum(residual(y, gelu(y), gamma)).backward();
    return x.grad().to(Dtype::f64);
  };
  EXPECT_LT(max_relative_error(gradient(Dtype::f32), gradient(Dtype::f64), 1), 2e-5);
}

}  // namespace
}  // namespace lookhere
