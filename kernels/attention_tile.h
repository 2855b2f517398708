// What attention's forward and backward pass share: one head's rows and tables, the 64 queries of a tile in lanes, and
// queries by themselves. S is the type in memory, T = Acc<S> the one the arithmetic is done in.
#pragma once
#include "kernels/attention.h"
#include "kernels/bf16_vector.h"
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
template <class S>
void make_tables(const AttentionPlan& plan, const AttentionBias<S>& bias, Acc<S>* workspace) {
  using T = Acc<S>;
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

// to[d] = factor · from[d], converting between the type in memory and the one of the arithmetic. Explicit vectors,
// since the compiler cannot know that the rows do not overlap.
template <class To, class From, class T>
LOOKHERE_INLINE void copy_scaled(To* to, T factor, const From* from, long n) {
  long i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) store_as(to + i, factor * load_as<T>(from + i));
  for (; i < n; ++i) to[i] = static_cast<To>(factor * static_cast<T>(from[i]));
}
template <class T>
LOOKHERE_INLINE void fill(T* to, T value, long n) {
  long i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) store(to + i, Vector<T>{} + value);
  for (; i < n; ++i) to[i] = value;
}

// Copies rows into others `width` apart, converting.
template <class To, class From>
LOOKHERE_INLINE void copy_rows(To* to, long to_stride, const From* from, long from_stride, long rows, long dim) {
  for (long t = 0; t < rows; ++t) copy_scaled(to + t * to_stride, Acc<To>(1), from + t * from_stride, dim);
}

// Keys and values of one image and head: (tokens, dim), rows `stride` apart.
template <class T>
struct KeyRows {
  const T *k, *v;
  long stride;
};

// One head: its rows in one image, and its bias.
template <class S>
struct Head : KeyRows<Acc<S>> {
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
  Head(const Problem& p, long h, const S* q_rows, const KeyRows<T>& rows)
      : KeyRows<T>(rows),
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

// Rows that are needed soon, asked for a few at a time between products: they come while others are worked on.
class Ahead {
 public:
  // Rows `stride` apart: those of `tokens`, if given, else the first `count`.
  template <class T>
  void add(const T* first, long stride, long dim, const std::int32_t* tokens, long count) {
    constexpr long kSize = static_cast<long>(sizeof(T));
    if (count == 0) return;
    array_[arrays_++] = {reinterpret_cast<const char*>(first), stride * kSize, dim * kSize, count, tokens};
    rows_ += count;
  }
  // All of them within so many calls of some().
  void start(long calls) { step_ = rows_ / (calls + 1) + 1; }
  LOOKHERE_INLINE void some() {
    for (long i = 0; i < step_ && at_ < arrays_; ++i) {
      const Rows& rows = array_[at_];
      const char* row = rows.first + (rows.tokens ? rows.tokens[row_] : row_) * rows.stride;
      for (long byte = 0; byte < rows.bytes; byte += 64) __builtin_prefetch(row + byte, 0, 2);
      if (++row_ == rows.count) row_ = 0, ++at_;
    }
  }

 private:
  struct Rows {
    const char* first;
    long stride, bytes, count;
    const std::int32_t* tokens;
  } array_[12];
  long arrays_ = 0, rows_ = 0, step_ = 0, at_ = 0, row_ = 0;
};

// A chunk of keys of one class, gathered: pointers to their rows and what is added to their logits.
template <class T>
struct KeyChunk {
  long count, first_vector, vectors;  // vectors of the tile that take part
  const std::int32_t* token;
  const T *k[kChunk], *v[kChunk], *bias[kChunk];
  T constant[kChunk];

  template <class S>
  void gather(const Head<S>& head, const std::int32_t* tokens, long n) {
    count = n, token = tokens;
    for (long j = 0; j < n; ++j) k[j] = head.k + tokens[j] * head.stride, v[j] = head.v + tokens[j] * head.stride;
    for (long j = 0; j < n; ++j) bias[j] = head.bias_row(tokens[j]);
    for (long j = 0; head.key_bias && j < n; ++j) constant[j] = head.bias_of_key(tokens[j]);
  }
};

// f(chunk) for every key that a tile may see, class by class, at most kChunk keys at a time.
template <class S, class F>
LOOKHERE_INLINE void for_each_chunk(const Head<S>& head, long tile, F f) {
  const HeadLayout& layout = *head.layout;
  using T = Acc<S>;
  KeyChunk<T> chunk;
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

// The bias of one vector of queries: pieces of the table that lie side by side, each for some lanes; 0 for the prefix.
template <class T>
struct LaneBias {
  int pieces = 0;
  long step[kLanes<T>];
  LaneMask<T> mask[kLanes<T>];
  Vector<T> patches = {};  // 1 in lanes that hold a patch

  void add(const BiasRun& run, long first_lane) {
    const unsigned bits = run.lanes >> first_lane & ((1U << kLanes<T>)-1U);
    if (bits == 0) return;
    step[pieces] = run.step + first_lane, mask[pieces] = lane_mask<T>(bits);
    const Vector<T> ones = Vector<T>{} + T(1);
    patches = load_where(patches, mask[pieces++], reinterpret_cast<const T*>(&ones));
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

  template <class S>
  Queries(const Head<S>& head, long tile) {
    const HeadLayout& layout = *head.layout;
    token = layout.token.data() + tile * kTileQueries;
    const long groups =
        layout.groups() - tile * kTileGroups < kTileGroups ? layout.groups() - tile * kTileGroups : long{kTileGroups};
    count = groups * kGroupQueries, vectors = groups * kGroupVectors<T>;
    if (!head.center) return;
    for (long v = 0; v < vectors; ++v) {
      const std::int32_t* run = layout.group_run.data() + tile * kTileGroups + v / kGroupVectors<T>;
      for (long i = run[0]; i < run[1]; ++i) bias[v].add(layout.bias_run.data()[i], v % kGroupVectors<T> * kLanes<T>);
    }
  }

  // to[d][lane] = factor · from[token of lane][d]; rows[lane][d], `width` apart, the same by copy_factor, if wanted; 0
  // in empty lanes and beyond dim
  template <class S>
  void pack(T* to, const S* from, long stride, long dim, T factor, T* rows_to = nullptr, T copy_factor = 1) const {
    const long width = padded<T>(dim);
    constexpr long n = kLanes<T>;
    for (long lane = 0; lane < count; lane += n) {
      long d = 0;
      for (; d + n <= dim; d += n) {
        Vector<T> rows[n];
        for (long i = 0; i < n; ++i)
          rows[i] = token[lane + i] < 0 ? Vector<T>{} : load_as<T>(from + token[lane + i] * stride + d);
        for (long i = 0; rows_to && i < n; ++i) store(rows_to + (lane + i) * width + d, rows[i] * copy_factor);
        transpose<T>(rows);
        for (long i = 0; i < n; ++i) store(to + (d + i) * kTileQueries + lane, rows[i] * factor);
      }
      for (; d < width; ++d)
        for (long i = lane; i < lane + n; ++i) {
          const T value = token[i] < 0 || d >= dim ? T(0) : static_cast<T>(from[token[i] * stride + d]);
          if (d < dim) to[d * kTileQueries + i] = value * factor;
          if (rows_to) rows_to[i * width + d] = value * copy_factor;
        }
    }
  }
  // to[token of lane][d] = factor[lane] · from[d][lane]
  template <class S>
  void unpack(S* to, const T* from, long stride, long dim, const T* factor) const {
    constexpr long n = kLanes<T>;
    for (long lane = 0; lane < count; lane += n) {
      const Vector<T> by = KERNELS_ISA::load(factor + lane);
      long d = 0;
      for (; d + n <= dim; d += n) {
        Vector<T> rows[n];
        for (long i = 0; i < n; ++i) rows[i] = KERNELS_ISA::load(from + (d + i) * kTileQueries + lane) * by;
        transpose<T>(rows);
        for (long i = 0; i < n; ++i)
          if (token[lane + i] >= 0) store_as(to + token[lane + i] * stride + d, rows[i]);
      }
      for (; d < dim; ++d)
        for (long i = lane; i < lane + n; ++i)
          if (token[i] >= 0) to[token[i] * stride + d] = static_cast<S>(from[d * kTileQueries + i] * factor[i]);
    }
  }
};

// A tile of Sᵀ = bias + K·Qᵀ: keys j.. of the chunk, its vectors v.. ; finish(row, vector, logits in log2), both from
// 0.
template <int kRows, int kVectors, class S, class T, class Finish>
LOOKHERE_INLINE void logit_tile(const Head<S>& head, const Queries<T>& queries, const KeyChunk<T>& keys, const T* q,
                                long j, long v, Finish finish) {
  const bool by_key = head.key_bias != nullptr;
  const LaneBias<T>* bias = queries.bias + keys.first_vector + v;
  const T* from = q + (keys.first_vector + v) * kLanes<T>;
  register_tile<T, kRows, kVectors>(
      head.dim, [&](int r, long d) { return keys.k[j + r][d]; }, [&](long d) { return from + d * kTileQueries; },
      [&](int r, int i) {
        const T* row = keys.bias[j + r];
        if (!row) return Vector<T>{};
        const Vector<T> x = bias[i].load(row);
        return by_key ? x + keys.constant[j + r] * bias[i].patches : x;
      },
      finish);
}

// to[d][lane] = start + Σ_j rows[j][d] · weights[j][lane] for the vectors of the chunk; `to` and the result of
// start(d, vector, old value) are (dim, 64)
template <class T, class Start>
LOOKHERE_INLINE void add_weighted_rows(T* to, long dim, const KeyChunk<T>& keys, const T* const* rows, const T* weights,
                                       Ahead& ahead, Start start) {
  for_each_column_tile(keys.vectors, [&]<int kVectors>(long v) {
    const T* w = weights + v * kLanes<T>;
    for_each_row_tile<kRowsBeside<kVectors>>(dim, [&]<int kRows>(long d) {
      ahead.some();
      T* c = to + d * kTileQueries + (keys.first_vector + v) * kLanes<T>;
      register_tile<T, kRows, kVectors>(
          keys.count, [&](int r, long j) { return rows[j][d + r]; }, [&](long j) { return w + j * kTileQueries; },
          [&](int r, int i) { return start(v + i, KERNELS_ISA::load(c + r * kTileQueries + i * kLanes<T>)); },
          [&](int r, int i, Vector<T> x) { store(c + r * kTileQueries + i * kLanes<T>, x); });
    });
  });
}

// -- queries outside of the tiles: logits in lanes by keys, outputs by features, a few queries at a time
// --------------
inline constexpr long kLooseQueries = 4, kLooseStride = kChunk * kTileQueries / kLooseQueries;
inline constexpr long kLooseKeys = kLooseStride - 16;  // at a time; whole vectors are written

// to[r][d] = by[r] · to[r][d] + Σ_j weights[r][j] · rows[j][d]; `to` (queries, width), weights kLooseStride apart
template <class T>
LOOKHERE_INLINE void add_rows(T* to, long queries, long dim, const T* by, const T* weights, const T* rows, long stride,
                              long count) {
  const long width = padded<T>(dim);
  for_each_column_tile(dim / kLanes<T>, [&]<int kVectors>(long v) {
    for_each_row_tile<kLooseQueries>(queries, [&]<int kRows>(long q) {
      T* const c = to + q * width + v * kLanes<T>;
      register_tile<T, kRows, kVectors>(
          count, [&](int r, long j) { return weights[(q + r) * kLooseStride + j]; },
          [&](long j) { return rows + j * stride + v * kLanes<T>; },
          [&](int r, int i) { return by[q + r] * load(c + r * width + i * kLanes<T>); },
          [&](int r, int i, Vector<T> x) { store(c + r * width + i * kLanes<T>, x); });
    });
  });
  for (long d = dim / kLanes<T> * kLanes<T>; d < dim; ++d)
    for (long q = 0; q < queries; ++q) {
      T sum = by[q] * to[q * width + d];
      for (long j = 0; j < count; ++j) sum += weights[q * kLooseStride + j] * rows[j * stride + d];
      to[q * width + d] = sum;
    }
}

// to[j] = Σ_d row[d] · rows[j][d] for j in [0, count); writes whole vectors
template <class T>
LOOKHERE_INLINE void dots(T* to, const T* row, const T* rows, long stride, long dim, long count) {
  constexpr long n = kLanes<T>;
  for (long j = 0; j < count; j += n) {
    const T* at[n];  // beyond the last key: the last one again
    for (long i = 0; i < n; ++i) at[i] = rows + (j + i < count ? j + i : count - 1) * stride;
    Vector<T> products[n] = {};
    for (long d = 0; d + n <= dim; d += n) {
      const Vector<T> x = load(row + d);
#pragma GCC unroll 16
      for (long i = 0; i < n; ++i) products[i] += x * load(at[i] + d);
    }
    store(to + j, sums_of_rows<T>(products));
    for (long d = dim / n * n; d < dim; ++d)
      for (long i = 0; i < n; ++i) to[j + i] += row[d] * at[i][d];
  }
}

// The logits, in log2, of a query outside of the tiles for keys from `begin` on; `row` is its scaled query.
template <class S>
LOOKHERE_INLINE void loose_logits(Acc<S>* to, const Head<S>& head, const Acc<S>* row, long query, long begin,
                                  long count) {
  using T = Acc<S>;
  dots(to, row, head.k + begin * head.stride, head.stride, head.dim, count);
  if (!head.center || query < head.prefix) return;
  const std::int32_t* offset = head.layout->offset.data();
  const T* table = head.center + offset[query - head.prefix];
  for (long j = begin < head.prefix ? head.prefix - begin : 0; j < count; ++j)
    to[j] += table[-offset[begin + j - head.prefix]] + head.bias_of_key(begin + j);
}

}  // namespace kernels::KERNELS_ISA
