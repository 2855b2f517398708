// Fused attention on the CPU, backward. With δ = Σ dO ⊙ O, tile by tile:
//   Pᵀ = exp(Sᵀ - lse),  dSᵀ = Pᵀ ⊙ (V·dOᵀ - δ),  dQᵀ = Kᵀ·dSᵀ,  dK += dSᵀ·Q,  dV += Pᵀ·dO
// Of sigmoid attention, Pᵀ = σ(Sᵀ + shift),  dSᵀ = (Pᵀ - Pᵀ ⊙ Pᵀ) ⊙ V·dOᵀ.
// One thread has all tiles of an image and head, so keys' gradients are added in a fixed order where they belong.
#include <cmath>
#include <limits>

#include "kernels/attention/attention.h"
#include "kernels/attention/fused/ahead.h"
#include "kernels/attention/fused/sigmoid.h"
#include "kernels/attention/fused/single.h"
#include "kernels/attention/fused/tile.h"
#include "kernels/simd/math.h"

namespace kernels {
namespace KERNELS_ISA {
namespace {

// to[j][d] += Σ_i weight(j, i) · rows[i][d] for i in [0, lanes), in slots: `rows` are (lanes, width), padded to whole
// vectors, weight(j, i) = weights[j · key_step + i · lane_step]
template <long key_step, long lane_step, class T, class O>
LOOKHERE_INLINE void add_to_rows(T* const* to, long count, long dim, const O* weights, const O* rows, long lanes,
                                 PrefetchQueue& ahead) {
  const long width = padded<T>(dim);
  for_each_register_tile(count, dim / kLanes<T>, ahead, [&]<int kRows, int kVectors>(long j, long v) {
    const O *w = weights + j * key_step, *b = rows + v * kLanes<T>;
    register_tile<O, kRows, kVectors>(
        lanes, [&](int r, long i) { return w[r * key_step + i * lane_step]; }, [&](long i) { return b + i * width; },
        [&](int r, int i) { return load(to[j + r] + (v + i) * kLanes<T>); },
        [&](int r, int i, Vector<T> x) { store(to[j + r] + (v + i) * kLanes<T>, x); });
  });
  const long done = dim / kLanes<T> * kLanes<T>;
  if (done == dim) return;  // the rest of a row may not be written as a whole vector: it ends inside of one
  for_each_row_tile<8>(count, [&]<int kRows>(long j) {
    const O* w = weights + j * key_step;
    register_tile<O, kRows, 1>(
        lanes, [&](int r, long i) { return w[r * key_step + i * lane_step]; },
        [&](long i) { return rows + i * width + done; }, [](int, int) { return Vector<T>{}; },
        [&](int r, int, Vector<T> x) {
          for (long d = done; d < dim; ++d) to[j + r][d] += x[d - done];
        });
  });
}

// Where one image and head has its gradients: (tokens, dim), dq, dk and dv with rows as far apart as those of q, k, v.
template <class S>
struct HeadGradient {
  using T = Acc<S>;
  S* dq;       // rows as far apart as those of q
  T *dk, *dv;  // rows key_stride apart, nothing between them
  long key_stride;
  const S *dout, *out;  // rows `stride` apart
  long stride;
  const T* lse;  // (tokens)
  T* center;     // of the gradient of the bias table, or null: not wanted
  T* dprefix;    // (2), of the bias of prefix tokens, or null: not wanted
};

// e^-lse of a query that saw nothing is 0, not infinite.
template <class T>
T saved_lse(T lse) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  return lse == -kInfinity ? kInfinity : lse * static_cast<T>(kLog2e);
}

// a[d] · b[d], summed over vectors
template <class S>
Vector<Acc<S>> products_of(const S* a, const S* b, long dim) {
  using T = Acc<S>;
  Vector<T> sum = {};
  long d = 0;
  for (; d + kLanes<T> <= dim; d += kLanes<T>) sum += load_as<T>(a + d) * load_as<T>(b + d);
  for (; d < dim; ++d) sum[0] += static_cast<T>(a[d]) * static_cast<T>(b[d]);
  return sum;
}

// Of a prefix token as key: empty lanes hold 0.
template <class S, class O>
void add_to_prefix(const HeadGradient<S>& g, const Queries<Acc<S>>& queries, const KeyChunk<S, O>& keys,
                   const Acc<S>* ds) {
  using T = Acc<S>;
  Vector<T> patches = {}, all = {};
  for (long v = 0; v < keys.vectors; ++v) {
    const Vector<T> x = load(ds + v * kLanes<T>);
    all += x, patches += x * queries.bias[keys.first_vector + v].patches;
  }
  g.dprefix[0] += sum_of_lanes<T>(patches), g.dprefix[1] += sum_of_lanes<T>(all - patches);
}

// The table's gradient: what LaneBias::load read as vectors goes back as vectors.
template <class S, class O>
void add_to_table(const Head<S, O>& head, const HeadGradient<S>& g, const Queries<Acc<S>>& queries,
                  const KeyChunk<S, O>& keys, const Acc<S>* ds) {
  using T = Acc<S>;
  for (long j = 0; j < keys.count; ++j) {
    if (!keys.bias[j]) {
      if (g.dprefix) add_to_prefix(g, queries, keys, ds + j * kTileQueries);
      continue;
    }
    T* row = g.center + (keys.bias[j] - head.center);
    for (long v = 0; v < keys.vectors; ++v) {
      const LaneBias<T>& bias = queries.bias[keys.first_vector + v];
      const Vector<T> x = load(ds + j * kTileQueries + v * kLanes<T>);
      for (int i = 0; i < bias.pieces; ++i)
        store_where(row + bias.step[i], bias.mask[i], load_where(Vector<T>{}, bias.mask[i], row + bias.step[i]) + x);
    }
  }
}

// The same of one query, for keys from `begin` on.
template <class S, class O>
void add_to_table(const Head<S, O>& head, const HeadGradient<S>& g, long query, const Acc<S>* ds, long begin,
                  long count) {
  if (g.dprefix)
    for (long j = 0; j < smaller(count, head.prefix - begin); ++j) g.dprefix[query < head.prefix] += ds[j];
  if (query < head.prefix) return;
  const std::int32_t* offset = head.plan->offset;
  Acc<S>* const from_query = g.center + offset[query - head.prefix];
  for (long j = greater(0, head.prefix - begin); j < count; ++j) from_query[-offset[begin + j - head.prefix]] += ds[j];
}

// The queries of one tile.
template <class S, class O>
struct Backward {
  using T = Acc<S>;
  static constexpr long kValues = kSlotValues<O>, kKeys = kPairs<O> ? kChunk : 1;
  alignas(64) O qt[kMaxHeadDim / kValues * kTileQueries], doutt[kMaxHeadDim / kValues * kTileQueries];  // (slots, 64)
  alignas(64) O q[kTileQueries / kValues * kMaxHeadDim], dout[kTileQueries / kValues * kMaxHeadDim];  // (slots, width)
  alignas(64) T dqt[kMaxHeadDim * kTileQueries];                                                      // (dim, 64)
  alignas(64) T p[kChunk * kTileQueries], ds[kChunk * kTileQueries];                                  // (keys, 64)
  // The same as operands of the next products, with pairs: of neighbouring lanes, and dS of neighbouring keys.
  alignas(64) O p_rows[kKeys * kTileQueries], ds_rows[kKeys * kTileQueries], ds_keys[kKeys * kTileQueries];
  alignas(64) T lse[kTileQueries], delta[kTileQueries];  // lse in log2, delta negated
  PrefetchQueue ahead;                                   // issued by the loops over register tiles

  void start(const Head<S, O>& head, const HeadGradient<S>& g, const Queries<T>& queries) {
    queries.pack(qt, head.q, head.q_stride, head.dim);
    queries.pack(doutt, g.dout, g.stride, head.dim);
    queries.pack_rows(q, head.q, head.q_stride, head.dim);
    queries.pack_rows(dout, g.dout, g.stride, head.dim);
    fill(dqt, T(0), head.dim * kTileQueries);
    for (long i = 0; i < queries.count; ++i)
      lse[i] = queries.token[i] < 0 ? std::numeric_limits<T>::infinity() : saved_lse(g.lse[queries.token[i]]);
    for (long i = 0; i < queries.count; i += kLanes<T>) {
      Vector<T> products[kLanes<T>] = {};
      for (long l = 0; l < kLanes<T>; ++l) {
        const long token = queries.token[i + l];
        if (token >= 0) products[l] = products_of(g.dout + token * g.stride, g.out + token * g.stride, head.dim);
      }
      store(delta + i, -sums_of_rows<T>(products));
    }
    if (head.sigmoid) fill(delta, T(0), queries.count);
  }

  void add(const Head<S, O>& head, const HeadGradient<S>& g, const Queries<T>& queries, const KeyChunk<S, O>& keys) {
    const long width = padded<T>(head.dim), lane = keys.first_vector * kLanes<T>;
    const T squares = head.sigmoid ? 1 : 0;
    for_each_register_tile(keys.count, keys.vectors, ahead, [&]<int kRows, int kVectors>(long j, long v) {
      T* to = p + j * kTileQueries + v * kLanes<T>;
      logit_tile<kRows, kVectors>(head, queries, keys, qt, j, v,
                                  [&](int r, int i, Vector<T> x) { store(to + r * kTileQueries + i * kLanes<T>, x); });
    });
    for (long v = 0; v < keys.vectors; ++v) {
      const Vector<T> subtract = load(lse + lane + v * kLanes<T>);
      T* column = p + v * kLanes<T>;
      if (head.sigmoid) {
        for (long j = 0; j < keys.count; ++j)
          store(column + j * kTileQueries, sigmoid_of_log2<T>(load(column + j * kTileQueries) + head.shift));
        continue;
      }
#pragma GCC unroll 4
      for (long j = 0; j < keys.count; ++j)
        store(column + j * kTileQueries, exp2(load(column + j * kTileQueries) - subtract));
    }
    for_each_register_tile(keys.count, keys.vectors, ahead, [&]<int kRows, int kVectors>(long j, long v) {
      const long at = lane + v * kLanes<T>;
      register_tile<O, kRows, kVectors>(
          head.dim / kValues, [&](int r, long s) { return keys.v[j + r][s]; },
          [&](long s) { return doutt + s * kTileQueries + at; },
          [&](int, int i) { return load(delta + at + i * kLanes<T>); },
          [&](int r, int i, Vector<T> x) {
            const long to = (j + r) * kTileQueries + (v + i) * kLanes<T>;
            const Vector<T> weight = load(p + to);
            store(ds + to, x * (weight - squares * weight * weight));
          });
    });
    const O *weights = nullptr, *dweights = nullptr, *dweights_by_key = nullptr;
    if constexpr (kPairs<O>) {
      round_rows(p_rows, p, keys), round_rows(ds_rows, ds, keys), pair_up(ds_keys, ds, keys);
      weights = p_rows, dweights = ds_rows, dweights_by_key = ds_keys;
    } else {
      weights = p, dweights = dweights_by_key = ds;
    }
    add_weighted_rows(dqt, head.dim, keys, dweights_by_key, ahead, [](long, Vector<T> old) { return old; });
    constexpr long kKeyStep = kTileQueries / kValues;
    const long first = lane / kValues * width, lanes = keys.vectors * kLanes<T> / kValues;
    T* to[kChunk];
    for (long j = 0; j < keys.count; ++j) to[j] = g.dv + keys.token[j] * g.key_stride;
    add_to_rows<kKeyStep, 1>(to, keys.count, head.dim, weights, dout + first, lanes, ahead);
    for (long j = 0; j < keys.count; ++j) to[j] = g.dk + keys.token[j] * g.key_stride;
    add_to_rows<kKeyStep, 1>(to, keys.count, head.dim, dweights, q + first, lanes, ahead);
    if (g.center) add_to_table(head, g, queries, keys, ds);
  }

  void finish(const Head<S, O>& head, const HeadGradient<S>& g, const Queries<T>& queries, T scale) {
    for (T& factor : delta) factor = scale;
    queries.unpack(g.dq, dqt, head.q_stride, head.dim, delta);
  }
};

// Queries by themselves. Scratch: p, ds (kSingleQueries, kSingleStride).
template <class S, class O>
void backward_single(const Head<S, O>& head, const HeadGradient<S>& g, const std::int32_t* token, long queries,
                     Acc<S> scale, Acc<S>* p, Acc<S>* ds, PrefetchQueue& ahead) {
  using T = Acc<S>;
  const long width = padded<T>(head.dim), stride = head.stride;
  // Of each query: scaled for logits, as it is, and the gradients of its output and of itself.
  alignas(64) T scaled[kSingleQueries * kMaxHeadDim], row[kSingleQueries * kMaxHeadDim] = {};
  alignas(64) T drow[kSingleQueries * kMaxHeadDim] = {}, dq[kSingleQueries * kMaxHeadDim] = {};
  T shift[kSingleQueries], sum[kSingleQueries];
  const T squares = head.sigmoid ? 1 : 0;
  for (long i = 0; i < queries; ++i) {
    const S *from = head.q + token[i] * head.q_stride, *dfrom = g.dout + token[i] * g.stride;
    copy_scaled(scaled + i * width, head.scale, from, head.dim);
    copy_scaled(row + i * width, T(1), from, head.dim);
    copy_scaled(drow + i * width, T(1), dfrom, head.dim);
    shift[i] = saved_lse(g.lse[token[i]]);
    sum[i] = head.sigmoid ? 0 : sum_of_lanes<T>(products_of(dfrom, g.out + token[i] * g.stride, head.dim));
  }
  for (long begin = 0; begin < head.tokens; begin += kChunk) {
    const long count = smaller(kChunk, head.tokens - begin);
    T *to_dk[kChunk], *to_dv[kChunk];
    for (long j = 0; j < count; ++j)
      to_dk[j] = g.dk + (begin + j) * g.key_stride, to_dv[j] = g.dv + (begin + j) * g.key_stride;
    for (long i = 0; i < queries; ++i) {
      T *const weights = p + i * kSingleStride, *const dweights = ds + i * kSingleStride;
      single_logits(weights, head, scaled + i * width, token[i], begin, count);
      dots(dweights, drow + i * width, head.v + begin * stride, stride, head.dim, count);
      for (long j = 0; j < count; j += kLanes<T>) {
        const Vector<T> logit = load(weights + j);
        const Vector<T> weight = head.sigmoid ? sigmoid_of_log2<T>(logit + head.shift) : exp2(logit - shift[i]);
        store(weights + j, weight);
        store(dweights + j, (weight - squares * weight * weight) * (load(dweights + j) - sum[i]));
      }
      if (g.center) add_to_table(head, g, token[i], dweights, begin, count);
    }
    const T unscaled[kSingleQueries] = {1, 1, 1, 1};
    add_rows(dq, queries, head.dim, unscaled, ds, head.k + begin * stride, stride, count);
    add_to_rows<1, kSingleStride>(to_dv, count, head.dim, p, drow, queries, ahead);
    add_to_rows<1, kSingleStride>(to_dk, count, head.dim, ds, row, queries, ahead);
  }
  for (long i = 0; i < queries; ++i) copy_scaled(g.dq + token[i] * head.q_stride, scale, dq + i * width, head.dim);
}

// The gradients of all heads' tables, behind the tables themselves.
template <class S>
Acc<S>* gradient_center(const AttentionBackward<S>& p, long h) {
  return table_center(p.workspace + p.plan->tables(), *p.plan, h);
}

// One head of one image.
template <class O, class S>
void backward_part(const AttentionBackward<S>& p, const AttentionPart& part, const AttentionPart* next) {
  using T = Acc<S>;
  const AttentionSizes& z = p.sizes;
  const long width = padded<T>(z.head_dim), stride = z.heads * z.head_dim, size = z.tokens * width;
  T* const copies = p.workspace + (p.drelative ? 2 : 1) * p.plan->tables() + part.thread * z.stage_size();
  T *const dk = copies + 2 * size, *const dv = dk + size;
  const HeadInput<S> input(p, part.image, part.head);
  const Head<S, O> head(p, part.head, input.q, key_rows<S, O>(input, z, copies, false));
  const HeadGradient<S> g{.dq = p.dqkv + z.packed_begin(part.image, 0, part.head),
                          .dk = dk,
                          .dv = dv,
                          .key_stride = width,
                          .dout = p.dout + z.out_begin(part.image, part.head),
                          .out = p.out + z.out_begin(part.image, part.head),
                          .stride = stride,
                          .lse = p.lse + (part.image * z.heads + part.head) * z.tokens,
                          .center = p.drelative && head.center ? gradient_center(p, part.head) : nullptr,
                          .dprefix = p.dprefix && head.by_prefix ? p.dprefix + 2 * part.head : nullptr};
  Backward<S, O> state;
  fill(dk, T(0), 2 * size);
  for (long tile = 0; tile < part.last_tile; ++tile) {
    const Queries<T> queries(head, tile);
    state.ahead = ahead_of_backward<S>({p, part, next, tile});
    state.start(head, g, queries);
    for_each_chunk(head, tile, [&](const KeyChunk<S, O>& keys) { state.add(head, g, queries, keys); });
    state.finish(head, g, queries, p.scale);
  }
  for_each_single(*head.plan, [&](const std::int32_t* token, long queries) {
    backward_single(head, g, token, queries, p.scale, state.p, state.ds, state.ahead);
  });
  copy_rows(g.dq + stride, z.head_stride(), p.scale, dk, width, z.tokens, z.head_dim);
  copy_rows(g.dq + 2 * stride, z.head_stride(), T(1), dv, width, z.tokens, z.head_dim);
}

template <class S>
void backward_of_head(const AttentionBackward<S>& p, const AttentionPart& part, const AttentionPart* next) {
  if (p.sizes.head_dim % kDepth<S> == 0)
    backward_part<Slot<S>>(p, part, next);
  else
    backward_part<Acc<S>>(p, part, next);
}

}  // namespace

template <class S>
void attention_backward(const AttentionBackward<S>& p) {
  using T = Acc<S>;
  make_tables(*p.plan, p.bias, p.workspace);
  if (!p.drelative)
    return for_each_head(*p.plan, p.sizes, [&](const AttentionPart& part, const AttentionPart* next) {
      backward_of_head(p, part, next);
    });
  for_each_head_over_images(*p.plan, p.sizes, [&](const AttentionPart& part, const AttentionPart* next) {
    const HeadPlan& head = p.plan->heads[part.head];
    T *const center = gradient_center(p, part.head), *const to = p.drelative + part.head * relative_size(p.plan->grid);
    if (part.image == 0 && p.dprefix) p.dprefix[2 * part.head] = p.dprefix[2 * part.head + 1] = 0;
    if (part.image == 0) for_each_offset(head, p.plan->grid, center, to, [](T& value, T&) { value = 0; });
    backward_of_head(p, part, next);
    if (part.image + 1 == p.sizes.images)
      for_each_offset(head, p.plan->grid, center, to, [](const T& value, T& sum) { sum = value; });
  });
}

}  // namespace KERNELS_ISA

KERNEL(attention_backward, AttentionBackward, float);
KERNEL(attention_backward, AttentionBackward, double);
KERNEL_OF_PAIRS(attention_backward, AttentionBackward);

}  // namespace kernels
