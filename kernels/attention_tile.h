// What attention's forward and backward pass share: one head's rows and tables, the 64 queries of a tile in lanes, and
// queries by themselves. T is the type the arithmetic is done in.
#pragma once
#include "kernels/attention.h"
#include "kernels/register_tile.h"

namespace kernels::KERNELS_ISA {

inline constexpr long kChunk = 96;  // keys whose weights are held at a time: Sᵀ is 96 × 64, 24 KiB in f32
inline constexpr double kLog2e = 1.4426950408889634;
template <class T>
inline constexpr long kTileVectorCount = kTileQueries / kLanes<T>;
template <class T>
inline constexpr long kGroupVectors = kGroupQueries / kLanes<T>;
template <class T>
inline constexpr T kLowest = T(-1e30);  // finite, so that -inf minus it stays -inf; 2^(kLowest - max) is 0

// Softmax is computed with powers of two: queries are scaled by log2(e) and so are these tables, one per head, laid out
// along the head's walk (attention_plan.h).
template <class T>
void make_tables(const AttentionPlan& plan, const AttentionBias<T>& bias, T* workspace) {
  if (!bias.relative) return;
  const Grid grid = plan.grid;
  parallel_for(static_cast<long>(plan.heads.size()), relative_size(grid), [&](long h) {
    const HeadLayout& layout = *plan.heads[h];
    T* center = workspace + h * plan.table_stride + AttentionPlan::kTablePad + layout.center;
    const T* from = bias.relative + h * relative_size(grid);
    const long down = layout.step(1, 0), right = layout.step(0, 1);
    for (long dy = grid.y - 1; dy > -grid.y; --dy)
      for (long dx = grid.x - 1; dx > -grid.x; --dx, ++from)
        center[dy * down + dx * right] = *from * static_cast<T>(kLog2e);
  });
}

// One image and head: where its rows are, and its bias.
template <class T>
struct Head {
  const T *q, *k, *v;  // (tokens, dim), rows `stride` apart
  long stride, tokens, dim, prefix;
  Grid grid;
  const HeadLayout* layout;
  const T* center;    // of its table, or null: no bias
  const T* key_bias;  // (patches), or null
  T scale;            // times log2(e)

  template <class Problem>
  Head(const Problem& p, long image, long h)
      : stride(p.sizes.head_stride()),
        tokens(p.sizes.tokens),
        dim(p.sizes.head_dim),
        prefix(p.plan->prefix),
        grid(p.plan->grid),
        layout(p.plan->heads[h].get()),
        center(p.bias.relative ? p.workspace + h * p.plan->table_stride + AttentionPlan::kTablePad + layout->center
                               : nullptr),
        key_bias(p.bias.key ? p.bias.key + h * p.plan->grid.patches() : nullptr),
        scale(p.scale * static_cast<T>(kLog2e)) {
    q = p.qkv + image * tokens * stride + h * dim;
    k = q + p.sizes.heads * dim;
    v = k + p.sizes.heads * dim;
  }

  // The table as key `token` sees it: query at offset o finds its bias at [o]. Null for the prefix and without a bias.
  const T* bias_row(long token) const {
    return center && token >= prefix ? center - layout->offset.data()[token - prefix] : nullptr;
  }
  T bias_of_key(long token) const {
    return key_bias && token >= prefix ? key_bias[token - prefix] * static_cast<T>(kLog2e) : T(0);
  }
};

// A chunk of keys of one class, gathered: pointers to their rows and what is added to their logits.
template <class T>
struct KeyChunk {
  long count, first_vector, vectors;  // vectors of the tile that take part
  const T *k[kChunk], *v[kChunk], *bias[kChunk];
  T constant[kChunk];
  std::int32_t token[kChunk];

  void gather(const Head<T>& head, const std::int32_t* tokens, long n) {
    count = n;
    for (long j = 0; j < n; ++j) {
      const long t = tokens[j];
      token[j] = tokens[j];
      k[j] = head.k + t * head.stride, v[j] = head.v + t * head.stride;
      bias[j] = head.bias_row(t), constant[j] = head.bias_of_key(t);
    }
  }
};

// f(chunk) for every key that a tile may see, class by class. `list` and `at` hold the first keys on entry, so that
// tiles of few keys find them once for many images.
template <class T, class F>
LOOKHERE_INLINE void for_each_chunk(const Head<T>& head, long tile, const KeyList& first, const KeyCursor& after, F f) {
  KeyChunk<T> chunk;
  const auto visit = [&](const KeyList& list) {
    for (long c = 0; c < list.class_count; ++c) {
      const KeyList::Class& keys = list.classes[c];
      chunk.first_vector = keys.first_group * kGroupVectors<T>, chunk.vectors = keys.groups * kGroupVectors<T>;
      const long parts = (keys.count + kChunk - 1) / kChunk;
      for (long i = 0; i < parts; ++i) {
        const long begin = keys.count * i / parts, end = keys.count * (i + 1) / parts;
        chunk.gather(head, list.key + keys.begin + begin, end - begin);
        f(chunk);
      }
    }
  };
  visit(first);
  KeyCursor at = after;
  if (at.y >= head.grid.y) return;
  KeyList list;
  while (next_keys(*head.layout, head.grid, head.prefix, tile, at, list)) visit(list);
}

// The bias of one vector of queries: pieces of the table that lie side by side, each for some lanes; 0 for the prefix.
template <class T>
struct LaneBias {
  int pieces = 0;
  long step[kLanes<T>];
  LaneMask<T> mask[kLanes<T>];
  Vector<T> patches = {};  // 1 in lanes that hold a patch

  void add_lane(int lane, long offset) {
    const long wanted = offset - lane;
    int i = 0;
    while (i < pieces && step[i] != wanted) ++i;
    if (i == pieces) step[pieces] = wanted, mask[pieces++] = LaneMask<T>{};
    mask[i] |= lane_mask<T>(lane, lane + 1);
    patches[lane] = 1;
  }
  LOOKHERE_INLINE Vector<T> load(const T* row) const {
    Vector<T> x = {};
    for (int i = 0; i < pieces; ++i) x = load_where(x, mask[i], row + step[i]);
    return x;
  }
};

// The queries of one tile.
template <class T>
struct Queries {
  long count, vectors;        // lanes in use are not always the first ones: see token
  const std::int32_t* token;  // (64), -1: no query
  LaneBias<T> bias[kTileVectorCount<T>];

  Queries(const Head<T>& head, long tile) {
    const HeadLayout& layout = *head.layout;
    token = layout.token.data() + tile * kTileQueries;
    const long groups =
        layout.groups() - tile * kTileGroups < kTileGroups ? layout.groups() - tile * kTileGroups : long{kTileGroups};
    count = groups * kGroupQueries, vectors = groups * kGroupVectors<T>;
    if (!head.center) return;
    for (long i = 0; i < count; ++i)
      if (token[i] >= head.prefix)
        bias[i / kLanes<T>].add_lane(static_cast<int>(i % kLanes<T>), layout.offset.data()[token[i] - head.prefix]);
  }

  // to[d][lane] = factor · from[token of lane][d]; 0 in empty lanes
  void pack(T* to, const T* from, long stride, long dim, T factor) const {
    constexpr long n = kLanes<T>;
    for (long lane = 0; lane < count; lane += n) {
      long d = 0;
      for (; d + n <= dim; d += n) {
        Vector<T> rows[n];
        for (long i = 0; i < n; ++i)
          rows[i] = token[lane + i] < 0 ? Vector<T>{} : KERNELS_ISA::load(from + token[lane + i] * stride + d);
        transpose<T>(rows);
        for (long i = 0; i < n; ++i) store(to + (d + i) * kTileQueries + lane, rows[i] * factor);
      }
      for (; d < dim; ++d)
        for (long i = lane; i < lane + n; ++i)
          to[d * kTileQueries + i] = token[i] < 0 ? T(0) : from[token[i] * stride + d] * factor;
    }
  }
  // to[token of lane][d] = factor[lane] · from[d][lane]
  void unpack(T* to, const T* from, long stride, long dim, const T* factor) const {
    constexpr long n = kLanes<T>;
    for (long lane = 0; lane < count; lane += n) {
      const Vector<T> by = KERNELS_ISA::load(factor + lane);
      long d = 0;
      for (; d + n <= dim; d += n) {
        Vector<T> rows[n];
        for (long i = 0; i < n; ++i) rows[i] = KERNELS_ISA::load(from + (d + i) * kTileQueries + lane) * by;
        transpose<T>(rows);
        for (long i = 0; i < n; ++i)
          if (token[lane + i] >= 0) store(to + token[lane + i] * stride + d, rows[i]);
      }
      for (; d < dim; ++d)
        for (long i = lane; i < lane + n; ++i)
          if (token[i] >= 0) to[token[i] * stride + d] = from[d * kTileQueries + i] * factor[i];
    }
  }
};

// Sᵀ = bias + K·Qᵀ for a chunk: finish(key, vector of the chunk, logits in log2) for each.
template <class T, class Finish>
LOOKHERE_INLINE void logits(const Head<T>& head, const Queries<T>& queries, const KeyChunk<T>& keys, const T* q,
                            Finish finish) {
  const bool by_key = head.key_bias != nullptr;
  for_each_column_tile(keys.vectors, [&]<int kVectors>(long v) {
    const LaneBias<T>* bias = queries.bias + keys.first_vector + v;
    const T* from = q + (keys.first_vector + v) * kLanes<T>;
    for_each_row_tile<kRowsBeside<kVectors>>(keys.count, [&]<int kRows>(long j) {
      register_tile<T, kRows, kVectors>(
          head.dim, [&](int r, long d) { return keys.k[j + r][d]; }, [&](long d) { return from + d * kTileQueries; },
          [&](int r, int i) {
            const T* row = keys.bias[j + r];
            if (!row) return Vector<T>{};
            const Vector<T> x = bias[i].load(row);
            return by_key ? x + keys.constant[j + r] * bias[i].patches : x;
          },
          [&](int r, int i, Vector<T> x) { finish(j + r, v + i, x); });
    });
  });
}

// to[d][lane] = start + Σ_j rows[j][d] · weights[j][lane] for the vectors of the chunk; `to` and the result of
// start(d, vector, old value) are (dim, 64)
template <class T, class Start>
LOOKHERE_INLINE void add_weighted_rows(T* to, long dim, const KeyChunk<T>& keys, const T* const* rows, const T* weights,
                                       Start start) {
  for_each_column_tile(keys.vectors, [&]<int kVectors>(long v) {
    const T* w = weights + v * kLanes<T>;
    for_each_row_tile<kRowsBeside<kVectors>>(dim, [&]<int kRows>(long d) {
      T* c = to + d * kTileQueries + (keys.first_vector + v) * kLanes<T>;
      register_tile<T, kRows, kVectors>(
          keys.count, [&](int r, long j) { return rows[j][d + r]; }, [&](long j) { return w + j * kTileQueries; },
          [&](int r, int i) { return start(v + i, KERNELS_ISA::load(c + r * kTileQueries + i * kLanes<T>)); },
          [&](int r, int i, Vector<T> x) { store(c + r * kTileQueries + i * kLanes<T>, x); });
    });
  });
}

template <class T>
LOOKHERE_INLINE T dot(const T* a, const T* b, long n) {
  Vector<T> sum = {};
  long i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) sum += load(a + i) * load(b + i);
  T total = sum_of_lanes<T>(sum);
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

// to[d] += Σ_j weights[j] · rows[j][d]
template <class T>
LOOKHERE_INLINE void add_rows(T* to, long dim, const T* rows, long stride, const T* weights, long count) {
  for_each_column_tile(dim / kLanes<T>, [&]<int kVectors>(long v) {
    T* c = to + v * kLanes<T>;
    register_tile<T, 1, kVectors>(
        count, [&](int, long j) { return weights[j]; }, [&](long j) { return rows + j * stride + v * kLanes<T>; },
        [&](int, int i) { return load(c + i * kLanes<T>); },
        [&](int, int i, Vector<T> x) { store(c + i * kLanes<T>, x); });
  });
  for (long d = dim / kLanes<T> * kLanes<T>; d < dim; ++d)
    for (long j = 0; j < count; ++j) to[d] += weights[j] * rows[j * stride + d];
}

// The logit, in log2, of a query outside of the tiles; `row` is its scaled query.
template <class T>
LOOKHERE_INLINE T loose_logit(const Head<T>& head, const T* row, long query, long key) {
  const T* bias = query >= head.prefix ? head.bias_row(key) : nullptr;
  const T product = dot(row, head.k + key * head.stride, head.dim);
  return bias ? product + bias[head.layout->offset.data()[query - head.prefix]] + head.bias_of_key(key) : product;
}

}  // namespace kernels::KERNELS_ISA
