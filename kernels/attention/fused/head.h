// One head of one image as attention's two passes see it: where its rows are, and its bias by relative position.
//
// S is the type in memory, T = Acc<S> the one of sums and the softmax, O the slot of products (pairs.h): T, or Pair
// where the processor multiplies pairs of bf16.
#pragma once
#include <type_traits>

#include "kernels/attention/attention.h"
#include "kernels/attention/fused/plan.h"
#include "kernels/simd/register_tile.h"

namespace kernels::KERNELS_ISA {

inline constexpr double kLog2e = 1.4426950408889634;

// f(value in a head's table, value in the order of bias.relative) for every offset; `center` is the table's.
template <class T, class U, class F>
void for_each_offset(const HeadPlan& head, Grid grid, T* center, U* relative, F f) {
  for (long dy = grid.y - 1; dy > -grid.y; --dy)
    for (long dx = grid.x - 1; dx > -grid.x; --dx, ++relative) f(center[dy * head.down + dx * head.right], *relative);
}

// The middle of a head's table, the pair of a patch and itself, where all heads' tables begin at `tables`.
template <class T>
T* table_center(T* tables, const AttentionPlan& plan, long h) {
  return tables + h * plan.table_stride + AttentionPlan::kTablePad + plan.heads[h].center;
}

// Softmax is computed with powers of two: logits are scaled by log2(e) and so are these tables, one per head, in the
// order of the head's walk (plan.h).
template <class S>
void make_tables(const AttentionPlan& plan, const AttentionBias<S>& bias, Acc<S>* workspace) {
  using T = Acc<S>;
  if (!bias.relative) return;
  const Grid grid = plan.grid;
  parallel_for(plan.head_count, relative_size(grid), [&](long h) {
    for_each_offset(plan.heads[h], grid, table_center(workspace, plan, h), bias.relative + h * relative_size(grid),
                    [](T& value, const T& from) { value = from * static_cast<T>(kLog2e); });
  });
}

// to[d] = factor · from[d], converting between the type in memory and the one of the arithmetic. Explicit vectors,
// since the compiler cannot know that the rows do not overlap.
template <class To, class From, class T>
LOOKHERE_INLINE void copy_scaled(To* to, T factor, const From* from, long n) {
  long i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) store_as(to + i, factor * load_as<T>(from + i));
  for (; i < n; ++i) to[i] = static_cast<To>(factor * static_cast<T>(from[i]));
}
// The same for rows.
template <class To, class From, class T>
LOOKHERE_INLINE void copy_rows(To* to, long to_stride, T factor, const From* from, long from_stride, long rows,
                               long dim) {
  for (long t = 0; t < rows; ++t) copy_scaled(to + t * to_stride, factor, from + t * from_stride, dim);
}

template <class T>
LOOKHERE_INLINE void fill(T* to, T value, long n) {
  long i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) store(to + i, Vector<T>{} + value);
  for (; i < n; ++i) to[i] = value;
}

// Where one image and head has its rows in memory.
template <class S>
struct HeadInput {
  const S *q, *k, *v;  // (tokens, dim), rows head_stride apart
  template <class Problem>
  HeadInput(const Problem& p, long image, long head)
      : q(p.qkv + p.sizes.packed_begin(image, 0, head)),
        k(p.qkv + p.sizes.packed_begin(image, 1, head)),
        v(p.qkv + p.sizes.packed_begin(image, 2, head)) {}
};

// Keys and values of one image and head, where the kernel reads them.
template <class S, class O>
struct KeyRows {
  using Stored = std::conditional_t<kPairs<O>, S, Acc<S>>;
  const Stored *k, *v;  // (tokens, dim), rows `stride` apart
  long stride;
  // What is multiplied by weights: values forward, keys backward. (tokens, dim), rows weighted_stride apart; with
  // pairs, a row holds a token's values and the next one's, side by side, so that two keys are weighted at once.
  const O* weighted;
  long weighted_stride;
};

// As they are in memory, or copied to `copy`, which has room for four times (tokens, padded dim) and whose second half
// is used with pairs alone. Keys of one head lie a few pages apart, on few of the caches' sets: many are read faster
// from a copy.
template <class S, class O>
KeyRows<S, O> key_rows(const HeadInput<S>& input, const AttentionSizes& z, Acc<S>* to_copy, bool weigh_values) {
  using Stored = typename KeyRows<S, O>::Stored;
  constexpr long kReadInPlace = 256;  // tokens
  const long width = padded<Acc<S>>(z.head_dim), size = z.tokens * width;
  KeyRows<S, O> keys;
  auto* copy = reinterpret_cast<Stored*>(to_copy);
  if constexpr (std::is_same_v<S, Stored>) keys.k = input.k, keys.v = input.v, keys.stride = z.head_stride();
  if (z.tokens > kReadInPlace || !std::is_same_v<S, Stored>) {
    copy_rows(copy, width, Acc<S>(1), input.k, z.head_stride(), z.tokens, z.head_dim);
    copy_rows(copy + size, width, Acc<S>(1), input.v, z.head_stride(), z.tokens, z.head_dim);
    keys.k = copy, keys.v = copy + size, keys.stride = width;
  }
  const Stored* weighted = weigh_values ? keys.v : keys.k;
  if constexpr (kPairs<O>) {
    Pair* to = reinterpret_cast<Pair*>(copy + 2 * size);
    for (long t = 0; t < z.tokens; ++t, weighted += keys.stride)
      side_by_side(to + t * width, weighted, t + 1 < z.tokens ? weighted + keys.stride : nullptr, z.head_dim, width);
    keys.weighted = to, keys.weighted_stride = width;
  } else {
    keys.weighted = weighted, keys.weighted_stride = keys.stride;
  }
  return keys;
}

// One head: its rows in one image, and its bias.
template <class S, class O>
struct Head : KeyRows<S, O> {
  using T = Acc<S>;
  const S* q;  // (tokens, dim), rows q_stride apart
  long q_stride;
  long tokens, dim, prefix;
  Grid grid;
  const HeadPlan* plan;
  const T* center;                    // of its table, or null: no bias
  const T* key_bias;                  // (patches), or null
  bool by_prefix;                     // is there a bias of prefix tokens as keys?
  T from_patch = 0, from_prefix = 0;  // that, in log2, for a patch as query and for another token of the prefix
  T scale;                            // times log2(e)
  bool sigmoid;                       // are weights sigmoids of logits and `shift`, in log2, with no sum?
  T shift = 0;

  template <class Problem>
  Head(const Problem& p, long h, const S* q_rows, const KeyRows<S, O>& rows)
      : KeyRows<S, O>(rows),
        q(q_rows),
        q_stride(p.sizes.head_stride()),
        tokens(p.sizes.tokens),
        dim(p.sizes.head_dim),
        prefix(p.plan->prefix),
        grid(p.plan->grid),
        plan(p.plan->heads + h),
        center(p.bias.relative ? table_center(p.workspace, *p.plan, h) : nullptr),
        key_bias(p.bias.key ? p.bias.key + h * p.plan->grid.patches() : nullptr),
        by_prefix(p.bias.relative && p.bias.prefix),
        scale(p.scale * static_cast<T>(kLog2e)),
        sigmoid(p.bias.shift != nullptr) {
    if (sigmoid) shift = p.bias.shift[h] * static_cast<T>(kLog2e);
    if (!by_prefix) return;
    from_patch = p.bias.prefix[2 * h] * static_cast<T>(kLog2e);
    from_prefix = p.bias.prefix[2 * h + 1] * static_cast<T>(kLog2e);
  }

  // The table as key `token` sees it: query at offset o finds its bias at [o]. Null for the prefix and without a bias.
  const T* bias_row(long token) const {
    return center && token >= prefix ? center - plan->offset[token - prefix] : nullptr;
  }
  T bias_of_key(long token) const {
    return key_bias && token >= prefix ? key_bias[token - prefix] * static_cast<T>(kLog2e) : T(0);
  }
};

}  // namespace kernels::KERNELS_ISA
