// One head of one image as attention's two passes see it: its rows and its bias by relative position, and the keys that
// a tile may see, a chunk at a time.
//
// S is the type in memory, T = Acc<S> the one of sums and the softmax, O the slot of products (pairs.h): T, or Pair
// where the processor multiplies pairs of bf16.
#pragma once
#include "kernels/attention/attention.h"
#include "kernels/simd/register_tile.h"

namespace kernels::KERNELS_ISA {

inline constexpr long kChunk = 96;  // keys whose weights are held at a time: Sᵀ is 96 × 64, 24 KiB in f32
inline constexpr double kLog2e = 1.4426950408889634;
template <class T>
inline constexpr long kGroupVectors = kGroupQueries / kLanes<T>;

// f(value in a head's table, value in the order of bias.relative) for every offset; `center` is the table's.
template <class T, class U, class F>
void for_each_offset(const HeadLayout& layout, Grid grid, T* center, U* relative, F f) {
  const long down = layout.step(1, 0), right = layout.step(0, 1);
  for (long dy = grid.y - 1; dy > -grid.y; --dy)
    for (long dx = grid.x - 1; dx > -grid.x; --dx, ++relative) f(center[dy * down + dx * right], *relative);
}

// Softmax is computed with powers of two: logits are scaled by log2(e) and so are these tables, one per head, laid out
// along the head's walk (attention_plan.h).
template <class S>
void make_tables(const AttentionPlan& plan, const AttentionBias<S>& bias, Acc<S>* workspace) {
  using T = Acc<S>;
  if (!bias.relative) return;
  const Grid grid = plan.grid;
  parallel_for(static_cast<long>(plan.heads.size()), relative_size(grid), [&](long h) {
    const HeadLayout& layout = *plan.heads[h];
    T* center = workspace + h * plan.table_stride + AttentionPlan::kTablePad + layout.center;
    for_each_offset(layout, grid, center, bias.relative + h * relative_size(grid),
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

// Keys and values of one image and head.
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

// One head: its rows in one image, and its bias.
template <class S, class O>
struct Head : KeyRows<S, O> {
  using T = Acc<S>;
  const S* q;  // (tokens, dim), rows q_stride apart
  long q_stride;
  long tokens, dim, prefix;
  Grid grid;
  const HeadLayout* layout;
  const T* center;    // of its table, or null: no bias
  const T* key_bias;  // (patches), or null
  T scale;            // times log2(e)

  template <class Problem>
  Head(const Problem& p, long h, const S* q_rows, const KeyRows<S, O>& rows)
      : KeyRows<S, O>(rows),
        q(q_rows),
        q_stride(p.sizes.head_stride()),
        tokens(p.sizes.tokens),
        dim(p.sizes.head_dim),
        prefix(p.plan->prefix),
        grid(p.plan->grid),
        layout(p.plan->heads[h].get()),
        center(p.bias.relative ? p.workspace + h * p.plan->table_stride + AttentionPlan::kTablePad + layout->center
                               : nullptr),
        key_bias(p.bias.key ? p.bias.key + h * p.plan->grid.patches() : nullptr),
        scale(p.scale * static_cast<T>(kLog2e)) {}

  // The table as key `token` sees it: query at offset o finds its bias at [o]. Null for the prefix and without a bias.
  const T* bias_row(long token) const {
    return center && token >= prefix ? center - layout->offset.data()[token - prefix] : nullptr;
  }
  T bias_of_key(long token) const {
    return key_bias && token >= prefix ? key_bias[token - prefix] * static_cast<T>(kLog2e) : T(0);
  }
};

// A chunk of keys of one class, gathered: pointers to their rows and what is added to their logits.
template <class S, class O>
struct KeyChunk {
  using T = Acc<S>;
  long count, first_vector, vectors;  // vectors of the tile that take part
  const std::int32_t* token;
  const O *k[kChunk], *v[kChunk];
  const T* bias[kChunk];
  T constant[kChunk];
  // Rows of weights: a key each, or with pairs a key and the next if it is the next token, from first[i] on.
  long weighted_count;
  const O* weighted[kChunk];
  std::int32_t first[kChunk + 1];

  void gather(const Head<S, O>& head, const std::int32_t* tokens, long n) {
    count = n, token = tokens;
    for (long j = 0; j < n; ++j) {
      k[j] = reinterpret_cast<const O*>(head.k + tokens[j] * head.stride);
      v[j] = reinterpret_cast<const O*>(head.v + tokens[j] * head.stride);
    }
    for (long j = 0; j < n; ++j) bias[j] = head.bias_row(tokens[j]);
    for (long j = 0; head.key_bias && j < n; ++j) constant[j] = head.bias_of_key(tokens[j]);
    long rows = 0;
    for (long j = 0; j < n; ++rows) {
      weighted[rows] = head.weighted + tokens[j] * head.weighted_stride;
      if constexpr (kPairs<O>) {
        first[rows] = static_cast<std::int32_t>(j);
        j += j + 1 < n && tokens[j + 1] == tokens[j] + 1 ? 2 : 1;
      } else {
        ++j;
      }
    }
    weighted_count = rows, first[rows] = static_cast<std::int32_t>(n);
  }
};

// f(chunk) for every key that a tile may see, class by class, at most kChunk keys at a time.
template <class S, class O, class F>
LOOKHERE_INLINE void for_each_chunk(const Head<S, O>& head, long tile, F f) {
  const HeadLayout& layout = *head.layout;
  using T = Acc<S>;
  KeyChunk<S, O> chunk;
  const auto visit = [&](const std::int32_t* key, const KeyClass* classes, long count) {
    for (long c = 0; c < count; ++c) {
      const KeyClass& cls = classes[c];
      chunk.first_vector = cls.first_group * kGroupVectors<T>, chunk.vectors = cls.groups * kGroupVectors<T>;
      const long parts = (cls.count + kChunk - 1) / kChunk;
      for (long i = 0; i < parts; ++i) {
        const long begin = cls.count * i / parts, end = cls.count * (i + 1) / parts;
        chunk.gather(head, key + cls.begin + begin, end - begin);
        f(chunk);
      }
    }
  };
  if (!layout.tile_class.empty()) {
    const std::int32_t* first = layout.tile_class.data() + tile;
    return visit(layout.key.data(), layout.key_class.data() + first[0], first[1] - first[0]);
  }
  KeyList list;
  for (KeyCursor at; next_keys(layout, head.grid, head.prefix, tile, at, list);)
    visit(list.key, list.classes, list.class_count);
}

}  // namespace kernels::KERNELS_ISA
