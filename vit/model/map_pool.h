// Multi-head attention pooling (Lee et al. 2019; Zhai et al. 2022), timm's names: a learned query attends over the
// tokens, y = o + Mlp(LN(o)), o = proj(Attention(query, tokens)).
#pragma once
#include "nn/layers.h"

namespace lookhere {

struct MapPool {
  Var latent;  // (1, 1, dim)
  Linear q, kv, proj;
  LayerNorm norm;
  Mlp mlp;
  long heads;
  MapPool(const BlockSizes& s, Init& init)
      : latent(init.truncated_normal({1, 1, s.dim})),
        q(s.dim, s.dim, init),
        kv(s.dim, 2 * s.dim, init),
        proj(s.dim, s.dim, init),
        norm(s.dim, s.norm, init),
        mlp(s.dim, s.mlp_hidden, s.activation, init),
        heads(s.heads) {}
  // [B, T, dim] → [B, dim]
  Var operator()(const Var& x, Pass& pass) const {
    const long batch = x.shape()[0], dim = x.shape()[2];
    // Attention takes a query from every token: each has the same, and the first one's answer is read.
    const Var query = add(Var(zeros_like(x.value())), reshape(q(latent), {dim}));
    const Var both = kv(x);
    const Var packed = join_features({query, take_features(both, 0, 2), take_features(both, 1, 2)});
    const AttentionHeads all = make_attention_heads({}, {.y = 0, .x = 0}, x.value().dtype(), x.value().device());
    const Var o = proj(reshape(select_token(attention(packed, heads, all), 0), {batch, 1, dim}));
    return reshape(add(o, mlp(norm(o), pass)), {batch, dim});
  }
  void visit(auto&& f) { f("latent", latent), f("q", q), f("kv", kv), f("proj", proj), f("norm", norm), f("mlp", mlp); }
};

}  // namespace lookhere
