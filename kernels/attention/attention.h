// Multi-head attention with a LookHere bias, forward and backward, in O(tokens) extra memory:
//   P = softmax(Q·Kᵀ·scale + bias),  O = P·V   per image and head.
// On a GPU `attention` is flash.h or masked_softmax.h, the latter with a bounded part of the logits in memory at a
// time. Tokens are the prefix (the class token), then the patches in row-major order. A prefix token sees and is seen
// by all, with bias 0. A query that sees nothing gets output 0 and gradient 0.
#pragma once
#include <memory>
#include <span>

#include "kernels/attention/field_of_view.h"
#include "kernels/context.h"

namespace kernels {

inline constexpr long kMaxHeadDim = 256;

struct AttentionSizes {
  long images, tokens, heads, head_dim;  // head_dim <= kMaxHeadDim
  Grid grid;                             // tokens = prefix + grid.patches()
  HOST_DEVICE long prefix() const { return tokens - grid.patches(); }
  HOST_DEVICE long head_stride() const {
    return 3 * heads * head_dim;
  }  // from one token of packed q, k or v to the next
  // Where the rows of one image and head begin: of packed q, k and v (part 0, 1, 2), and of the output.
  HOST_DEVICE long packed_begin(long image, long part, long head) const {
    return (image * tokens * 3 + part) * heads * head_dim + head * head_dim;
  }
  HOST_DEVICE long out_begin(long image, long head) const { return (image * tokens * heads + head) * head_dim; }
  // Workspace of a thread: keys, values and their gradients of one head, in values.
  long stage_size() const { return 4 * tokens * ((head_dim + 15) / 16 * 16); }
};

// Which queries the fused kernel computes together and which keys they may see, found once for a grid and its heads.
struct AttentionPlan;  // fused/plan.h
// `heads` may be empty: `head_count` heads that see everything without a bias. What `like` has found for the same grid,
// such as another layer's plan, is shared. Memory and time O(tokens) per head.
std::shared_ptr<const AttentionPlan> make_attention_plan(std::span<const LookHereHead> heads, long head_count,
                                                         Grid grid, long prefix, long head_dim,
                                                         const AttentionPlan* like = nullptr);
// Was it made for such sizes? Without a bias only the number of tokens matters.
bool plan_fits(const AttentionPlan& plan, const AttentionSizes& sizes, bool biased);
// How many values of Acc<T> both passes want as workspace on the CPU: for as many threads as the program has now.
long attention_workspace(const AttentionPlan& plan, const AttentionSizes& sizes);
// How many (query, key) pairs it computes for one head of an image, empty lanes included: its work, counted.
long computed_pairs(const AttentionPlan& plan, long head);
long computed_pairs(const LookHereHead& head, Grid grid, long prefix, long head_dim = 64);

// The bias, computed from (dy, dx): what each head sees, and its tables (field_of_view.h), O(tokens) per head.
template <class T>
struct AttentionBias {
  const LookHereHead* heads = nullptr;  // (heads); null: every head sees all
  const Acc<T>* relative = nullptr;     // (heads, 2·grid.y - 1, 2·grid.x - 1), or no bias
  const Acc<T>* key = nullptr;          // (heads, patches), or no bias by key
  // (heads, 2), or none: of a token of the prefix as key, for patches as queries and for others of the prefix. What all
  // keys of a query have in common changes no weight, so this says all that a learned bias can say of the prefix.
  // Beside `relative` alone.
  const Acc<T>* prefix = nullptr;
  long window = 0;  // FieldOfView's, the same for all heads, which `relative` cannot say; the CPU has it from the plan
  // (heads), or none: with it P = σ(Q·Kᵀ·scale + bias + shift), which is no softmax and needs no sum. Then lse is
  // written as 0 and read by no one, and dS = P ⊙ (1 - P) ⊙ dP.
  const Acc<T>* shift = nullptr;
};

template <class T>
struct Attention {
  T* out;        // (images, tokens, heads, head_dim) out
  Acc<T>* lse;   // (images, heads, tokens) out: log Σ exp of each query's logits, for the backward pass
  const T* qkv;  // (images, tokens, 3, heads, head_dim)
  AttentionBias<T> bias;
  AttentionSizes sizes;
  Acc<T> scale;                         // 1 / sqrt(head_dim)
  const AttentionPlan* plan = nullptr;  // of these heads, grid and prefix; only the CPU reads it
  Acc<T>* workspace = nullptr;          // (attention_workspace(context, this))
};
template <class T>
long attention_workspace(Cpu, const Attention<T>& p) {
  return attention_workspace(*p.plan, p.sizes);
}
// On a GPU nothing, or a bounded part of the logits.
template <class T>
long attention_workspace(Cuda, const Attention<T>&);
template <class T>
void attention(Cpu, const Attention<T>&);
template <class T>
void attention(Cuda, const Attention<T>&);

// With δ = Σ dO ⊙ O:  dP = dO·Vᵀ,  dS = P ⊙ (dP - δ),  dQ = scale·dS·K,  dK = scale·dSᵀ·Q,  dV = Pᵀ·dO.
// P is computed again from lse. The gradient of a learned `bias.relative` is the sum of dS over all pairs of an offset,
// that of `bias.prefix` over all pairs with such a key.
template <class T>
struct AttentionBackward {
  T* dqkv;                      // (images, tokens, 3, heads, head_dim) out
  Acc<T>* drelative = nullptr;  // as bias.relative, out, or not wanted
  Acc<T>* dprefix = nullptr;    // as bias.prefix, out, where that and drelative are
  const T *dout, *out;          // (images, tokens, heads, head_dim)
  const T* qkv;                 // (images, tokens, 3, heads, head_dim)
  const Acc<T>* lse;            // (images, heads, tokens)
  AttentionBias<T> bias;
  AttentionSizes sizes;
  Acc<T> scale;
  const AttentionPlan* plan = nullptr;
  Acc<T>* workspace = nullptr;  // (attention_workspace(context, this))
};
template <class T>
long attention_workspace(Cpu, const AttentionBackward<T>& p) {
  return attention_workspace(*p.plan, p.sizes);
}
template <class T>
long attention_workspace(Cuda, const AttentionBackward<T>&);
template <class T>
void attention_backward(Cpu, const AttentionBackward<T>&);
template <class T>
void attention_backward(Cuda, const AttentionBackward<T>&);

// The lower rungs of the ladder (kernels/attention/README.md), for f32 and f64. They need neither plan nor workspace,
// know no `prefix`, and write no gradient of a bias. The formula, one query at a time: the oracle of the others. It
// takes the bias from `bias.heads` pair by pair and does not use the tables.
template <class T>
void attention_naive(Cpu, const Attention<T>&);
template <class T>
void attention_naive(Cuda, const Attention<T>&);
template <class T>
void attention_naive_backward(Cpu, const AttentionBackward<T>&);
template <class T>
void attention_naive_backward(Cuda, const AttentionBackward<T>&);
// Tiles and an online softmax in plain loops. It reads the tables and not the heads, and computes every pair. It knows
// neither windows nor sigmoids.
template <class T>
void attention_tiled(Cpu, const Attention<T>&);
template <class T>
void attention_tiled_backward(Cpu, const AttentionBackward<T>&);

}  // namespace kernels
