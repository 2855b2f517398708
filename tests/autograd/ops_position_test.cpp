// Operations that position encodings are made of: gradients against differences in f64, and their messages.
#include "autograd/ops.h"
#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

Var zeros_var(const Shape& shape, Dtype dtype = Dtype::f32) { return Var(zeros(shape, dtype)); }

TEST(OpsPosition, RotateByGradient) {
  for (const long prefix : {0, 1})
    expect_gradients([](auto& v) { return rotate_by(v[0], 2, v[1]); },
                     {random({2, 6 + prefix, 3 * 2 * 8}, 1), random({6, 8}, 2)});
}

// The same angles for every head are those of `rotate`.
TEST(OpsPosition, RotateByIsRotate) {
  const Var qkv(random({2, 4, 24}, 1)), one(random({3, 2}, 2));
  const auto of = [&](auto f) {
    std::vector<double> values = to_vector<double>(one.value());
    for (double& value : values) value = f(value);
    return from_vector(values, {3, 2});
  };
  const Rotation rotation{.cos = of([](double x) { return std::cos(x); }),
                          .sin = of([](double x) { return std::sin(x); })};
  const Tensor both = empty({3, 4}, Dtype::f64);
  for (long i = 0; i < 12; ++i) both.host<double>()[i] = one.value().host<double>()[i / 4 * 2 + i % 2];
  EXPECT_EQ(to_vector<double>(rotate_by(qkv, 2, Var(both)).value()),
            to_vector<double>(rotate(qkv, 2, rotation).value()));
}

TEST(OpsPosition, LogDistanceGradient) {
  const Tensor distances = from_vector<double>({0, 1, std::sqrt(2.), 3.5, 4}, {5, 1});
  for (const auto& [c, l] : {std::pair(0.1, 2.0), {-0.7, 0.5}, {3., -4.}})
    expect_gradients([&](auto& v) { return log_distance(distances, v[0], 1.5, 4); },
                     {from_vector<double>({c, l}, {2})});
}

TEST(OpsPosition, ParabolaGradient) {
  const Tensor at = random({4, 2}, 7);
  const std::vector<Tensor> inputs{random({2, 4, 3 * 2 * 3}, 1), random({2, 4, 6}, 2), random({2, 4, 4}, 3)};
  expect_gradients([&](auto& v) { return with_parabola(v[0], 2, v[1], v[2], at); }, inputs);
  expect_gradients([&](auto& v) { return with_parabola(v[0], 2, v[1], {}, at); }, {inputs[0], inputs[1]});
  expect_gradients([&](auto& v) { return attention(with_parabola(v[0], 2, v[1], v[2], at), 2, {}); }, inputs);
}

TEST(OpsPosition, SoftplusGradient) {
  expect_gradients([](auto& v) { return activate(scale(v[0], 4), Activation::softplus); }, {random({3, 7}, 1)});
}

// Of sigmoid attention: plain, with LookHere's bias, in windows, and with learned ones.
TEST(OpsPosition, SigmoidAttentionGradient) {
  const Tensor qkv = random({2, 7, 3 * 2 * 3}, 1);
  const auto made = [](std::vector<LookHereHead> heads) {
    AttentionHeads all = make_attention_heads(std::move(heads), {2, 3}, Dtype::f64, Device::cpu);
    all.shift = from_vector<double>({-0.5, -1.5}, {2});
    return all;
  };
  const LookHereHead directed{.view = view_of("tri_up"), .slope = 0.5}, free{.view = {}, .slope = 0.25};
  const LookHereHead window{.view = {.first = {}, .second = {}, .window = 2}, .slope = 0.5};
  for (const auto& heads : {std::vector<LookHereHead>{}, {directed, free}, {window, window}})
    expect_gradients([&](auto& v) { return attention(v[0], 2, made(heads)); }, {qkv});
  expect_gradients([&](auto& v) { return attention_learned(v[0], 2, made({}), v[1], v[2]); },
                   {qkv, random({2, 3, 5}, 2), random({2, 2}, 3)});
  AttentionHeads soft = made({window, window});
  soft.shift = {};
  expect_gradients([&](auto& v) { return attention(v[0], 2, soft); }, {qkv});
}

TEST(OpsPosition, Messages) {
  const Var qkv = zeros_var({1, 7, 24});
  EXPECT_ERROR(rotate_by(qkv, 5, zeros_var({6, 4})), "rotate: wanted [batch, tokens, 3·5·a multiple of 4], got");
  EXPECT_ERROR(rotate_by(qkv, 2, zeros_var({6, 2})), "rotate: angles must be [6, 4] for at most 7 patches, got [6, 2]");
  EXPECT_ERROR(rotate_by(qkv, 2, zeros_var({8, 4})), "rotate: angles must be [8, 4] for at most 7 patches, got [8, 4]");
  EXPECT_ERROR(rotate_by(qkv, 2, zeros_var({6, 4}, Dtype::f64)), "rotate: angles must be f32, got f64");
  EXPECT_ERROR(log_distance(zeros({3, 1}), zeros_var({3}), 1, 1), "log_distance: wanted [2] in f32, got [3] in f32");
  EXPECT_ERROR(log_distance(zeros({3, 1}), zeros_var({2}, Dtype::f64), 1, 1), "wanted [2] in f32, got [2] in f64");
  EXPECT_ERROR(log_distance(zeros({3, 1}), zeros_var({2}), 0, 1), "unit and farthest must be above 0, got 0 and 1");
  const Var a = zeros_var({1, 7, 6}), b = zeros_var({1, 7, 4});
  const Tensor at = zeros({7, 2});
  EXPECT_NO_THROW(with_parabola(qkv, 2, a, b, at));
  EXPECT_ERROR(with_parabola(qkv, 5, a, b, at), "parabola: wanted [batch, tokens, 3·5·head size], got [1, 7, 24]");
  EXPECT_ERROR(with_parabola(qkv, 2, b, b, at), "parabola: a must be [1, 7, 6], got [1, 7, 4]");
  EXPECT_ERROR(with_parabola(qkv, 2, a, a, at), "parabola: b must be [1, 7, 4], got [1, 7, 6]");
  EXPECT_ERROR(with_parabola(qkv, 2, a, b, zeros({6, 2})), "parabola: coordinates must be [7, 2], got [6, 2]");
  EXPECT_ERROR(with_parabola(cast(qkv, Dtype::bf16), 2, a, b, at),
               "parabola: all must be f32 or f64, got bf16, f32 and");
  LookHereHead window{.view = {.first = {}, .second = {}, .window = 2}, .slope = 1};
  EXPECT_ERROR(make_attention_heads({window, {}}, {2, 3}, Dtype::f32, Device::cpu),
               "attention: heads must have windows of one size");
  AttentionHeads heads = make_attention_heads({window, window}, {2, 3}, Dtype::f32, Device::cpu);
  EXPECT_ERROR(attention_learned(qkv, 2, heads, zeros_var({2, 3, 5})), "a table says nothing of windows");
}

}  // namespace
}  // namespace lookhere
