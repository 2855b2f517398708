// The layers of a Vision Transformer. Initialisation as timm and the LookHere authors: linear weights truncated normal
// with std 0.02, biases 0, norms 1 and 0.
#pragma once
#include <functional>

#include "autograd/ops.h"
#include "nn/module.h"

namespace lookhere {

struct LayerPosition;

// What differs between training and evaluating the same layers. Each use of randomness takes its own `site`.
struct Pass {
  double drop_path = 0, dropout = 0;  // probabilities; 0 when evaluating
  std::uint64_t seed = 0;
  std::uint32_t step = 0;  // counts forward passes of the training run
  std::uint32_t site = 0;
  Tensor live_step = {};            // i64 [1] on the model's device: if defined, the step when the device comes to it
  std::optional<Dtype> dtype = {};  // inside of the branches; by default that of the weights
  // If there is one, told of each layer's q, k and v as attention takes them, [B, T, 3·H·d], from the first layer on.
  std::function<void(const Tensor& qkv, const LayerPosition&)> on_attention = {};
  // And of the tokens that each block leaves, [B, T, dim].
  std::function<void(const Tensor& tokens)> on_block = {};

  // DropPath (stochastic depth, per image): [batch] of 0 or 1 / (1 - p); undefined when off.
  Tensor keep(long batch, Dtype dtype, Device device) {
    if (drop_path == 0) return {};
    return lookhere::drop_path(batch, drop_path, {.seed = seed, .a = step, .b = site++, .live_a = live_step}, dtype,
                               device);
  }
  Var drop(const Var& x) {
    if (dropout == 0) return x;
    const std::uint32_t purpose = static_cast<std::uint32_t>(Purpose::dropout) << 24;
    return lookhere::dropout(x, dropout, {.seed = seed, .a = step, .b = purpose + site++, .live_a = live_step});
  }
};

struct Linear {
  Var weight, bias;  // (out, in), (out) or undefined
  Linear() = default;
  Linear(long in, long out, Init& init, bool with_bias = true) : weight(init.truncated_normal({out, in})) {
    if (with_bias) bias = init.constant({out}, 0);
  }
  Var operator()(const Var& x) const { return linear(x, weight, bias); }
  void visit(auto&& f) { f("weight", weight), f("bias", bias); }
};

// Which norm a model has everywhere.
struct NormType {
  double eps = 1e-6;
  bool rms = false;  // RMSNorm: no mean, no bias
};
struct LayerNorm {
  Var weight, bias;  // (dim); without a bias RMSNorm
  double eps = 1e-6;
  LayerNorm() = default;
  LayerNorm(long dim, const NormType& type, Init& init) : weight(init.constant({dim}, 1)), eps(type.eps) {
    if (!type.rms) bias = init.constant({dim}, 0);
  }
  Var operator()(const Var& x, std::optional<Dtype> dtype = {}) const {
    return bias.defined() ? layer_norm(x, weight, bias, eps, dtype) : rms_norm(x, weight, eps, dtype);
  }
  // Inside of a branch, where values may be bf16 and norms are computed in f32.
  Var inside(const Var& x) const {
    const Dtype dtype = x.value().dtype();
    return (*this)(cast(x, acc_of(dtype)), dtype);
  }
  void visit(auto&& f) { f("weight", weight), f("bias", bias); }
};

// Layers that are applied one after another take their input by value and replace it: without a graph that would keep
// it, its memory is free as soon as it has been used.
struct Mlp {
  Linear fc1, fc2;
  LayerNorm norm;  // before fc2 (BEiT-3); undefined weight: off
  MlpActivation activation;
  // hidden: what fc1 gives; a gate halves it, as in timm's GluMlp.
  Mlp(long dim, long hidden, const MlpActivation& between, Init& init, bool bias = true)
      : fc1(dim, hidden, init, bias), fc2(between.gated ? hidden / 2 : hidden, dim, init, bias), activation(between) {}
  Var operator()(Var x, Pass& pass) const {
    const bool normed = norm.weight.defined();
    if (pass.dropout == 0 && !normed) return mlp(x, fc1.weight, fc1.bias, fc2.weight, fc2.bias, activation);
    x = fc1(x);
    x = pass.drop(apply(activation, x));
    if (normed) x = norm.inside(x);
    return pass.drop(fc2(x));
  }
  void visit(auto&& f) { f("fc1", fc1), f("norm", norm), f("fc2", fc2); }
};

// A bias by offset of each query's own (with_parabola); undefined: none.
struct QueryBias {
  Var a, b;
  Tensor at;
};

// What a position encoding gives attention in one layer: what heads see and what distance costs, angles that turn q and
// k (undefined: none), a learned bias by offset and of prefix tokens (attention_learned; undefined: none).
struct LayerPosition {
  const AttentionHeads& heads;
  const Rotation& rotation;
  Var table = {}, prefix = {};
  // Undefined, or a second attention, by position alone (attention_learned with q and k 0), which has this share of
  // each head, [H] from 0 to 1; heads see everything.
  Var by_position = {}, share = {};
  // Undefined, or angles that turn q and k of each head, with a gradient (rotate_by).
  Var angles = {};
  // Empty, or a bias that each token draws for itself, of what attention is given, [B, T, D].
  std::function<QueryBias(const Var& tokens)> by_query = {};
};

struct BlockSizes {
  long dim, heads, mlp_hidden;
  MlpActivation activation;
  NormType norm;
  bool layer_scale;
  double layer_scale_init;
  bool qkv_bias = true, qk_norm = false;
  bool proj_bias = true;  // of attention's last layer and the MLP's
  bool sub_norm = false;  // norms before these last layers (BEiT-3)
};

struct SelfAttention {
  Linear qkv, proj;
  LayerNorm q_norm, k_norm;  // over the features of a head (Dehghani et al. 2023); undefined weights: off
  LayerNorm norm;            // before proj; undefined weight: off
  long heads;
  SelfAttention(const BlockSizes& s, Init& init)
      : qkv(s.dim, 3 * s.dim, init, s.qkv_bias), proj(s.dim, s.dim, init, s.proj_bias), heads(s.heads) {
    if (s.sub_norm) norm = LayerNorm(s.dim, s.norm, init);
    if (!s.qk_norm) return;
    q_norm = LayerNorm(s.dim / s.heads, s.norm, init);
    k_norm = LayerNorm(s.dim / s.heads, s.norm, init);
  }
  Var operator()(Var x, const LayerPosition& position, Pass& pass) const {
    const QueryBias bias = position.by_query ? position.by_query(x) : QueryBias{};
    const Dtype dtype = x.value().dtype();
    x = qkv(x);
    if (q_norm.weight.defined()) x = normalised(x);
    if (position.rotation.cos.defined()) x = rotate(x, heads, position.rotation);
    if (position.angles.defined()) x = rotate_by(x, heads, position.angles);
    if (bias.a.defined()) x = with_parabola(cast(x, acc_of(dtype)), heads, bias.a, bias.b, bias.at);
    if (pass.on_attention) pass.on_attention(x.value(), position);
    x = attended(x, position);
    if (bias.a.defined()) x = cast(without_parabola(x), dtype);
    if (norm.weight.defined()) x = norm.inside(x);
    return pass.drop(proj(x));
  }
  void visit(auto&& f) { f("qkv", qkv), f("q_norm", q_norm), f("k_norm", k_norm), f("norm", norm), f("proj", proj); }

 private:
  // [B, T, H·(d + 6)] → [B, T, H·d]
  Var without_parabola(const Var& x) const {
    const long images = x.shape()[0], tokens = x.shape()[1], rows = images * tokens * heads;
    const long dim = proj.weight.shape()[1];
    const Var all = reshape(x, {rows, x.shape()[2] / heads, 1});
    return reshape(take_tokens(all, 0, dim / heads), {images, tokens, dim});
  }
  Var attended(const Var& x, const LayerPosition& position) const {
    Var by_content = position.table.defined()
                         ? attention_learned(x, heads, position.heads, position.table, position.prefix)
                         : attention(x, heads, position.heads);
    if (!position.share.defined()) return by_content;
    // (1 - share)·softmax(q·k)·v + share·softmax(by_position)·v
    const Dtype dtype = x.value().dtype();
    const Var v = take_features(cast(x, acc_of(dtype)), 2, 3);
    const Var nothing(zeros(v.shape(), v.value()));
    const Var positional = attention_learned(cast(join_features({nothing, nothing, v}), dtype), heads, position.heads,
                                             position.by_position);
    const long head_dim = v.shape()[2] / heads;
    const Var each = linear(Var(full({head_dim, 1}, 1, position.share.value())), reshape(position.share, {heads, 1}));
    const Var gamma = reshape(patchify(reshape(each, {1, head_dim, 1, heads}), 1), {heads * head_dim});
    return cast(residual(cast(by_content, acc_of(dtype)), add(positional, scale(by_content, -1)), gamma), dtype);
  }
  Var normalised(const Var& packed) const {
    const Dtype dtype = packed.value().dtype();
    const Var x = cast(packed, acc_of(dtype));
    const Shape all{x.shape()[0], x.shape()[1], x.shape()[2] / 3}, by_head{all[0], all[1], heads, all[2] / heads};
    const auto one = [&](long index, const LayerNorm& norm) {
      return reshape(norm(reshape(take_features(x, index, 3), by_head)), all);
    };
    return cast(join_features({one(0, q_norm), one(1, k_norm), take_features(x, 2, 3)}), dtype);
  }
};

// Scales a residual branch per feature (Touvron et al. 2021); undefined gamma: off.
struct LayerScale {
  Var gamma;  // (dim)
  void visit(auto&& f) { f("gamma", gamma); }
};

// Pre-norm: x += γ1·DropPath(Attention(LN(x))), x += γ2·DropPath(Mlp(LN(x)))
struct Block {
  LayerNorm norm1, norm2;
  SelfAttention attn;
  Mlp mlp;
  LayerScale ls1, ls2;
  Block(const BlockSizes& s, Init& init)
      : norm1(s.dim, s.norm, init),
        norm2(s.dim, s.norm, init),
        attn(s, init),
        mlp(s.dim, s.mlp_hidden, s.activation, init, s.proj_bias) {
    if (s.sub_norm) mlp.norm = LayerNorm(mlp.fc2.weight.shape()[1], s.norm, init);
    if (!s.layer_scale) return;
    ls1.gamma = init.constant({s.dim}, s.layer_scale_init);
    ls2.gamma = init.constant({s.dim}, s.layer_scale_init);
  }
  Var operator()(Var x, const LayerPosition& position, Pass& pass) const {
    const long batch = x.shape()[0];
    const Dtype dtype = x.value().dtype();
    const Device device = x.value().device();
    x = residual(x, attn(norm1(x, pass.dtype), position, pass), ls1.gamma, pass.keep(batch, dtype, device));
    return residual(x, mlp(norm2(x, pass.dtype), pass), ls2.gamma, pass.keep(batch, dtype, device));
  }
  void visit(auto&& f) {
    f("norm1", norm1), f("attn", attn), f("ls1", ls1), f("norm2", norm2), f("mlp", mlp), f("ls2", ls2);
  }
};

}  // namespace lookhere
