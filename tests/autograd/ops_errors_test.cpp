// Messages are part of the contract: which operation, what was wanted, what came.
#include "autograd/ops.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

Var zeros_var(const Shape& shape, Dtype dtype = Dtype::f32) { return Var(zeros(shape, dtype)); }
Tensor labels_of(const std::vector<i64>& labels) { return from_vector(labels, {static_cast<long>(labels.size())}); }

TEST(OpsErrors, Pointwise) {
  EXPECT_ERROR(add(zeros_var({2, 3}), zeros_var({2})),
               "add: second shape must be the end of the first, got [2, 3] and [2]");
  EXPECT_ERROR(add(zeros_var({3}), zeros_var({2, 3})), "add: second shape must be the end of the first, got [3] and");
  EXPECT_ERROR(multiply(zeros_var({2, 3}), zeros_var({3})), "multiply: shapes must be equal, got [2, 3] and [3]");
  EXPECT_ERROR(dropout(zeros_var({2}), 1, {}), "dropout: probability must be in [0, 1), got 1");
  EXPECT_ERROR(dropout(zeros_var({2}), -0.5, {}), "dropout: probability must be in [0, 1), got -0.5");
  EXPECT_ERROR(dropout(zeros_var({2}), std::nan(""), {}), "dropout: probability must be in [0, 1), got nan");
}

TEST(OpsErrors, Residual) {
  const Var x = zeros_var({2, 3, 4});
  EXPECT_ERROR(residual(x, zeros_var({2, 3, 5})),
               "residual: both must be [batch, tokens, features], got [2, 3, 4] and [2, 3, 5]");
  EXPECT_ERROR(residual(zeros_var({3, 4}), zeros_var({3, 4})), "residual: both must be [batch, tokens, features]");
  EXPECT_ERROR(residual(x, x, zeros_var({3})), "residual: gamma must be [4], got [3]");
  EXPECT_ERROR(residual(x, x, {}, zeros({4})), "residual: keep must be [2], got [4]");
}

TEST(OpsErrors, Linear) {
  EXPECT_ERROR(linear(zeros_var({2, 3}), zeros_var({3})), "linear: weight must be [out, in], got [3]");
  EXPECT_ERROR(linear(zeros_var({2, 0}), zeros_var({5, 0})), "linear: weight must be [out, in], got [5, 0]");
  EXPECT_ERROR(linear(zeros_var({2, 3}), zeros_var({5, 4})), "linear: input must be [..., 4], got [2, 3]");
  EXPECT_ERROR(linear(zeros_var({}), zeros_var({5, 4})), "linear: input must be [..., 4], got []");
  EXPECT_ERROR(linear(zeros_var({2, 3}), zeros_var({5, 3}), zeros_var({3})), "linear: bias must be [5], got [3]");
}

TEST(OpsErrors, LayerNorm) {
  const Var x = zeros_var({2, 7}), w = zeros_var({7}), odd = zeros_var({8});
  EXPECT_ERROR(layer_norm(x, odd, w, 1e-6F), "layer_norm: weight must be [7], got [8]");
  EXPECT_ERROR(layer_norm(x, w, odd, 1e-6F), "layer_norm: bias must be [7], got [8]");
  EXPECT_ERROR(layer_norm(x, w, Var(), 1e-6), "layer_norm: a bias is missing");
  EXPECT_ERROR(rms_norm(x, odd, 1e-6), "rms_norm: weight must be [7], got [8]");
  EXPECT_ERROR(layer_norm(zeros_var({}), w, w, 1e-6F), "layer_norm: input must be [..., features], got []");
  EXPECT_ERROR(layer_norm(zeros_var({3, 0}), w, w, 1e-6F), "layer_norm: input must be [..., features], got [3, 0]");
}

TEST(OpsErrors, Attention) {
  const AttentionHeads heads = make_attention_heads(std::vector<LookHereHead>(2), {2, 3}, Dtype::f32, Device::cpu);
  for (const auto op : {&attention, &attention_naive}) {
    EXPECT_ERROR(op(zeros_var({7, 12}), 2, heads), "attention: wanted [batch, tokens, 3·2·head size], got [7, 12]");
    EXPECT_ERROR(op(zeros_var({1, 7, 13}), 2, heads),
                 "attention: wanted [batch, tokens, 3·2·head size], got [1, 7, 13]");
    EXPECT_ERROR(op(zeros_var({1, 7, 12}), 0, heads), "attention: wanted [batch, tokens, 3·0·head size]");
    EXPECT_ERROR(op(zeros_var({1, 7, 0}), 2, heads), "attention: head size must be 1 to 256, got 0");
    EXPECT_ERROR(op(zeros_var({1, 7, 6 * 257}), 2, heads), "attention: head size must be 1 to 256, got 257");
    EXPECT_ERROR(op(zeros_var({1, 7, 12}), 4, heads), "attention: 4 heads but 2 fields of view");
    EXPECT_ERROR(op(zeros_var({1, 5, 12}), 2, heads),
                 "attention: a grid of 2x3 patches wants at least 6 tokens, got 5");
  }
  EXPECT_ERROR(attention(zeros_var({1, 7, 12}, Dtype::f64), 2, heads), "tensor: wanted f64, got f32");
  LookHereHead center{.view = {{-1, 0}, {}}, .from = kernels::DistanceFrom::grid_center, .slope = 1};
  EXPECT_NO_THROW(make_attention_heads({center}, {2, 3}, Dtype::f32, Device::cpu));
  center.fill = kernels::MaskFill::max;
  EXPECT_ERROR(make_attention_heads({center}, {2, 3}, Dtype::f32, Device::cpu),
               "attention: a head with distances from the grid centre must see everything or mask with -inf");
}

TEST(OpsErrors, LearnedBias) {
  AttentionHeads heads;
  heads.grid = {2, 3};
  const Var qkv = zeros_var({1, 7, 12}), bias = zeros_var({2, 3, 5});
  EXPECT_NO_THROW(attention_learned(qkv, 2, heads, bias));
  EXPECT_ERROR(attention_learned(qkv, 2, heads, zeros_var({2, 3, 4})),
               "attention_learned: the bias must be [2, 3, 5], got [2, 3, 4]");
  EXPECT_ERROR(attention_learned(qkv, 2, heads, zeros_var({2, 3, 5}, Dtype::f64)),
               "attention_learned: the bias must be f32, got f64");
  EXPECT_ERROR(attention_learned(qkv, 2, heads, bias, zeros_var({2, 3})),
               "attention_learned: the prefix' bias must be [2, 2], got [2, 3]");
  EXPECT_ERROR(attention_learned(qkv, 2, heads, bias, zeros_var({2, 2}, Dtype::f64)),
               "attention_learned: the bias must be f32, got f64");
  EXPECT_ERROR(take_tokens(qkv, 5, 3), "take_tokens: wanted 3 tokens from 5 on of 7");
  EXPECT_ERROR(take_tokens(qkv, -1, 3), "take_tokens: wanted 3 tokens from -1 on of 7");
  EXPECT_ERROR(waves(zeros_var({})), "waves: wanted [..., n], got []");
  heads = make_attention_heads({{.view = {{-1, 0}, {}}, .slope = 1}, {}}, {2, 3}, Dtype::f32, Device::cpu);
  EXPECT_ERROR(attention_learned(qkv, 2, heads, bias),
               "wanted a bias of -inf where a head does not see, at (dy, dx) = (1, 2), got 0");
  const LookHereHead center{.view = {}, .from = kernels::DistanceFrom::grid_center, .slope = 1};
  heads = make_attention_heads({center, center}, {2, 3}, Dtype::f32, Device::cpu);
  EXPECT_ERROR(attention_learned(qkv, 2, heads, bias), "a table says nothing of windows and of distances from the");
}

TEST(OpsErrors, MixedPrecision) {
  const Var x = zeros_var({1, 7, 6}), half = cast(x, Dtype::bf16), w = zeros_var({6, 6}), b = zeros_var({6});
  EXPECT_ERROR(linear(half, cast(w, Dtype::bf16), b), "linear: weights for bf16 input must be f32, got bf16");
  EXPECT_ERROR(mlp(half, cast(w, Dtype::f64), b, w, b), "mlp: weights for bf16 input must be f32, got f64");
  EXPECT_ERROR(mlp(x, w, b, zeros_var({6, 5}), b), "mlp: input must be [..., 5], got [1, 7, 6]");
  EXPECT_ERROR(residual(half, half), "residual: a bf16 branch wants an f32 stream, got bf16");
  EXPECT_ERROR(layer_norm(half, b, b, 1e-6F), "layer_norm: bf16 wants f32 input, got bf16");
  EXPECT_ERROR(sum(half), "operations work on f32 and f64, got bf16");
  EXPECT_ERROR(attention_naive(half, 2, {}), "attention_naive: works on f32 and f64, got bf16");
}

TEST(OpsErrors, Tokens) {
  const Var x = zeros_var({2, 6, 4});
  EXPECT_ERROR(reshape(x, {5}), "reshape: [2, 6, 4] has 48 elements, [5] has 5");
  EXPECT_ERROR(patchify(zeros_var({3, 8, 8}), 4), "patchify: wanted [batch, channels, height, width], got [3, 8, 8]");
  for (const long patch : {3, 0, 16})
    EXPECT_ERROR(patchify(zeros_var({1, 3, 8, 8}), patch),
                 concat("patchify: height and width must be multiples of the patch size ", patch, ", got 8x8"));
  EXPECT_ERROR(prepend_token(zeros_var({1, 1, 5}), x),
               "prepend_token: token must be [1, 1, 4], or more of them, got [1, 1, 5]");
  EXPECT_ERROR(drop_tokens(x, 6), "drop_tokens: 6 of 6 tokens");
  EXPECT_ERROR(take_features(x, 2, 2), "take_features: wanted part 2 of 2 equal parts of 4 features");
  EXPECT_ERROR(take_features(x, 0, 3), "take_features: wanted part 0 of 3 equal parts of 4 features");
  EXPECT_ERROR(join_features({}), "join_features: wanted at least one part");
  EXPECT_ERROR(join_features({x, zeros_var({1, 1, 4})}), "join_features: wanted parts of one shape, got");
  EXPECT_ERROR(prepend_token(zeros_var({4}), x), "prepend_token: token must be [1, 1, 4], or more of them, got [4]");
  EXPECT_ERROR(prepend_token(zeros_var({1, 1, 4}), zeros_var({6, 4})),
               "prepend_token: wanted [batch, tokens, features], got [6, 4]");
  EXPECT_ERROR(select_token(x, 6), "select_token: token 6 of 6");
  EXPECT_ERROR(select_token(x, -1), "select_token: token -1 of 6");
  EXPECT_ERROR(select_token(zeros_var({6, 4}), 0), "select_token: wanted [batch, tokens, features], got [6, 4]");
  EXPECT_ERROR(mean_tokens(x, 6), "mean_tokens: first token 6 of 6");
  EXPECT_ERROR(mean_tokens(zeros_var({6, 4})), "mean_tokens: wanted [batch, tokens, features], got [6, 4]");
  EXPECT_ERROR(resize_grid(x, {2, 3}, {4, 4}), "resize_grid: a grid of 2x3 wants [1, 6, 4], got [2, 6, 4]");
  EXPECT_ERROR(resize_grid(zeros_var({6, 4}), {2, 3}, {4, 4}), "resize_grid: wanted [batch, tokens, features]");
}

TEST(OpsErrors, Losses) {
  const Var x = zeros_var({2, 3});
  const auto expect = [&](const std::string& op, auto with_labels, auto with_targets) {
    EXPECT_ERROR(with_labels(zeros_var({6}), labels_of({0}), 0), op + ": logits must be [batch, classes], got [6]");
    EXPECT_ERROR(with_labels(zeros_var({0, 3}), labels_of({}), 0),
                 op + ": logits must be [batch, classes], got [0, 3]");
    EXPECT_ERROR(with_labels(x, labels_of({0, 1, 2}), 0), op + ": labels must be [2], got [3]");
    EXPECT_ERROR(with_labels(x, labels_of({0, 3}), 0), op + ": label 3 at 1 is not one of 3 classes");
    EXPECT_ERROR(with_labels(x, labels_of({-1, 0}), 0), op + ": label -1 at 0 is not one of 3 classes");
    EXPECT_ERROR(with_labels(x, zeros({2}), 0), "tensor: wanted i64, got f32");
    EXPECT_ERROR(with_labels(x, labels_of({0, 1}), 1), op + ": smoothing must be in [0, 1), got 1");
    EXPECT_ERROR(with_targets(x, zeros({2, 4})), op + ": targets must be [2, 3], got [2, 4]");
    EXPECT_ERROR(with_targets(x, zeros({2, 3}, Dtype::f64)), "tensor: wanted f32, got f64");
  };
  expect("softmax_cross_entropy", softmax_cross_entropy, softmax_cross_entropy_soft);
  expect("binary_cross_entropy", binary_cross_entropy, binary_cross_entropy_soft);
}

TEST(OpsErrors, Dtypes) {
  EXPECT_ERROR(add(zeros_var({2}), zeros_var({2}, Dtype::f64)), "tensor: wanted f32, got f64");
  EXPECT_ERROR(sum(zeros_var({2}, Dtype::bf16)), "operations work on f32 and f64, got bf16");
  EXPECT_ERROR(gelu(Var()), "variable: read before it was given a value");
}

}  // namespace
}  // namespace lookhere
