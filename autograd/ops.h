// Every operation with a gradient. Shapes in brackets; B batch, T tokens, C channels, D features, K classes. Each
// checks its inputs and throws Error naming the operation, what was wanted and what came. All inputs are on one device,
// where the result is then too.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "autograd/var.h"
#include "kernels/activation/activation.h"
#include "kernels/attention/field_of_view.h"
#include "kernels/grid_taps.h"
#include "tensor/random.h"

namespace kernels {
struct AttentionPlan;  // kernels/attention/attention.h
}

namespace lookhere {

using kernels::Activation;
using kernels::Grid;
using kernels::GridFilter;
using kernels::LookHereHead;

// -- pointwise: any shape --------------------------------------------------------------------------------------------
Var add(const Var& a, const Var& b);       // b's shape equal to a's or to its last dimensions
Var multiply(const Var& a, const Var& b);  // equal shapes
Var scale(const Var& x, double factor);
Var activate(const Var& x, Activation function);  // f(x)
Var gelu(const Var& x);                           // x·Φ(x), exact
// [..., 2·H] → [..., H]: f(a) ⊙ b of the halves [a, b]
Var gate(const Var& x, Activation function);
Var tanh(const Var& x);
Var sum(const Var& x);                // [1]
Var waves(const Var& x);              // [..., n] → [..., 2n]: cos x, then sin x
Var cast(const Var& x, Dtype dtype);  // f64, f32, bf16
// FIRE's log(1 + c·d) / log(1 + c·m) of distances d from 0 to `farthest`, [n, 1] → [n, 1]; c and m by `parameters` [2]
// and `unit` (kernels/log_distance.h). All of one dtype, f64 or f32.
Var log_distance(const Tensor& distances, const Var& parameters, double unit, double farthest);

// Zero with probability p, else x / (1 - p); the pattern belongs to the stream (seed, Purpose::dropout, a, b).
struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint32_t a = 0, b = 0;
  Tensor live_a = {};  // i64 [1] on x's device: if defined, a is what it holds when the device comes to it
};
Var dropout(const Var& x, double p, const DropoutKey& key);
// Stochastic depth per image: [n] of 0 with probability p or else 1 / (1 - p), of the stream (seed, Purpose::drop_path,
// a, b).
Tensor drop_path(long n, double p, const DropoutKey& key, Dtype dtype, Device device);

// x + γ ⊙ branch · keep: [B, T, D]; gamma [D] or undefined; keep [B] (0 or 1/keep probability) or undefined.
Var residual(const Var& x, const Var& branch, const Var& gamma = {}, const Tensor& keep = {});

// -- layers ----------------------------------------------------------------------------------------------------------
// Mixed precision: with bf16 inputs, weights, biases and norms stay f32, and so does the stream that `residual` adds
// to.
Var linear(const Var& x, const Var& w, const Var& b = {});  // [..., in], [out, in], [out] → [..., out]
// What an MLP does between its two layers: f(x) or, gated, f(a) ⊙ b of the two halves of its features.
struct MlpActivation {
  Activation function = Activation::gelu;
  bool gated = false;
};
Var apply(const MlpActivation& activation, const Var& x);
// linear(apply(activation, linear(x, w1, b1)), w2, b2), f done where each product is unless it is a gate
Var mlp(const Var& x, const Var& w1, const Var& b1, const Var& w2, const Var& b2, const MlpActivation& activation = {});
// [..., D], [D], [D]; the result in `dtype`, by default x's
Var layer_norm(const Var& x, const Var& w, const Var& b, double eps, std::optional<Dtype> dtype = {});
Var rms_norm(const Var& x, const Var& w, double eps, std::optional<Dtype> dtype = {});  // x / √(mean(x²) + eps) · w

// What the heads of one layer see, with its tables for one grid and dtype.
struct AttentionHeads {
  std::vector<LookHereHead> heads;  // empty: plain attention
  Grid grid;
  Tensor relative, key;  // kernels/attention/attention.h, AttentionBias
  Tensor shift = {};     // [H], of the weights' dtype: weights are sigmoids of the logits and this; undefined: softmax
  std::shared_ptr<const kernels::AttentionPlan> plan;
};
// The tables are O(grid) per head; dtype and device as the model's.
AttentionHeads make_attention_heads(std::vector<LookHereHead> heads, Grid grid, Dtype dtype, Device device);
// Finds the best order of queries once for all images of `prefix` tokens and then the grid's patches; `like` may be
// another layer, whose findings are shared. Without it every call of attention searches again.
void plan_attention(AttentionHeads& heads, long head_count, long prefix, long head_dim, const AttentionHeads* like);

// qkv [B, T, 3·H·d] → [B, T, H·d]; heads.grid.patches() <= T, the rest in front are prefix tokens.
Var attention(const Var& qkv, long head_count, const AttentionHeads& heads);
Var attention_naive(const Var& qkv, long head_count, const AttentionHeads& heads);  // the oracle
// The same with a learned bias by offset instead of LookHere's, [H, 2·gy - 1, 2·gx - 1]: pair (dy, dx) = key - query
// stands at [gy - 1 - dy][gx - 1 - dx], -inf where the head does not see, which is checked in host memory; no windows,
// no distances from the grid centre. `prefix`, [H, 2] or undefined: the bias of prefix tokens as keys, for patches as
// queries and for tokens of the prefix (kernels/attention/attention.h, AttentionBias).
Var attention_learned(const Var& qkv, long head_count, const AttentionHeads& heads, const Var& relative,
                      const Var& prefix = {});

// Angles of rotary position embedding, the same for all heads (kernels/rotary.h): [patches, d/2], dtype as the sums'.
struct Rotation {
  Tensor cos, sin;
};
// qkv [B, T, 3·H·d] → the same with q and k of the last tokens, the patches, turned; d a multiple of 4.
Var rotate(const Var& qkv, long head_count, const Rotation& rotation);
// The same by angles with a gradient, each head's own: [patches, H·d/2], dtype as the sums'.
Var rotate_by(const Var& qkv, long head_count, const Var& angles);
// qkv [B, T, 3·H·d] in f32 or f64 → [B, T, 3·H·(d + 6)], of which attention's first d features of each head are what it
// were of qkv with a parabola as bias: a [B, T, 3·H], b [B, T, 2·H] or undefined, at [T, 2] (kernels/parabola.h).
Var with_parabola(const Var& qkv, long head_count, const Var& a, const Var& b, const Tensor& at);

// -- tokens ----------------------------------------------------------------------------------------------------------
Var reshape(const Var& x, const Shape& shape);
Var patchify(const Var& images, long patch);            // [B, C, Y, X] → [B, (Y/p)·(X/p), C·p·p]
Var prepend_token(const Var& tokens, const Var& x);     // [1, P, D], [B, T, D] → [B, P+T, D]
Var drop_tokens(const Var& x, long count);              // [B, T, D] → [B, T-count, D], the last
Var take_tokens(const Var& x, long first, long count);  // [B, T, D] → [B, count, D]
Var select_token(const Var& x, long index);             // [B, T, D] → [B, D]
Var mean_tokens(const Var& x, long first = 0);          // [B, T, D] → [B, D], over tokens first..T-1
// The slice [index·D, (index + 1)·D) of each token's features, and slices side by side.
Var take_features(const Var& x, long index, long count);  // [B, T, count·D] → [B, T, D]
Var join_features(const std::vector<Var>& parts);         // n of [B, T, D] → [B, T, n·D]
// [1, from.patches(), D] → [1, to.patches(), D]
Var resize_grid(const Var& table, Grid from, Grid to, GridFilter filter = GridFilter::bilinear);

// -- losses: mean over the batch, [1] --------------------------------------------------------------------------------
// Labels are taken from any device, targets from that of the logits. A label that is no class is an Error in host
// memory; elsewhere the loss is NaN.
Var softmax_cross_entropy(const Var& logits, const Tensor& labels, double smoothing = 0);  // [B, K]; labels i64 [B]
Var softmax_cross_entropy_soft(const Var& logits, const Tensor& targets);                  // targets [B, K]
Var binary_cross_entropy(const Var& logits, const Tensor& labels, double smoothing = 0);   // summed over classes
Var binary_cross_entropy_soft(const Var& logits, const Tensor& targets);

}  // namespace lookhere
