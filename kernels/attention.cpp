// Fused attention on the CPU, forward. It works on Sᵀ: the 64 queries of a tile lie in the lanes of vector registers,
// keys and values are broadcast from where they are, so that the softmax's maximum and sum run down the lanes and only
// queries are ever transposed. An online softmax (Milakov & Gimelshein 2018) carries both from chunk to chunk of keys.
#include "kernels/attention.h"

#include <cmath>
#include <limits>

#include "kernels/attention_tile.h"
#include "kernels/attention_work.h"

namespace kernels {
namespace KERNELS_ISA {
namespace {

template <class T>
struct Forward {
  alignas(64) T q[kMaxHeadDim * kTileQueries], out[kMaxHeadDim * kTileQueries];  // (dim, 64)
  alignas(64) T s[kChunk * kTileQueries];                                        // (keys, 64): logits, then weights
  alignas(64) T max[kTileQueries], sum[kTileQueries], scale[kTileQueries];

  Ahead ahead;

  void start(const Head<T>& head, const Queries<T>& queries) {
    queries.pack(q, head.q, head.stride, head.dim, head.scale);
    fill(out, T(0), head.dim * kTileQueries);
    fill(max, kLowest<T>, kTileQueries);
    fill(sum, T(0), kTileQueries);
  }

  void add(const Head<T>& head, const Queries<T>& queries, const KeyChunk<T>& keys) {
    bool rescale = false;
    for_each_column_tile(keys.vectors, [&]<int kVectors>(long v) {
      Vector<T> top[kVectors];
      for (int i = 0; i < kVectors; ++i) top[i] = load(max + (keys.first_vector + v + i) * kLanes<T>);
      for_each_row_tile<kRowsBeside<kVectors>>(keys.count, [&]<int kRows>(long j) {
        T* to = s + j * kTileQueries + v * kLanes<T>;
        ahead.some();
        logit_tile<T, kRows, kVectors>(head, queries, keys, q, j, v, [&](int r, int i, Vector<T> x) {
          top[i] = larger<T>(top[i], x);
          store(to + r * kTileQueries + i * kLanes<T>, x);
        });
      });
      for (int i = 0; i < kVectors; ++i) rescale |= soften(keys, v + i, top[i]);
    });
    if (rescale)
      add_weighted_rows(out, head.dim, keys, keys.v, s, ahead,
                        [&](long v, Vector<T> old) { return old * load(scale + v * kLanes<T>); });
    else
      add_weighted_rows(out, head.dim, keys, keys.v, s, ahead, [](long, Vector<T> old) { return old; });
  }

  // Logits become weights relative to the new maximum; true if that differs from the old one in any lane.
  bool soften(const KeyChunk<T>& keys, long v, Vector<T> top) {
    const long lane = (keys.first_vector + v) * kLanes<T>;
    const Vector<T> old = load(max + lane), by = exp2(old - top);
    store(scale + v * kLanes<T>, by);
    store(max + lane, top);
    Vector<T> total = load(sum + lane) * by;
    T* column = s + v * kLanes<T>;
#pragma GCC unroll 4
    for (long j = 0; j < keys.count; ++j) {
      const Vector<T> weight = exp2(load(column + j * kTileQueries) - top);
      store(column + j * kTileQueries, weight);
      total += weight;
    }
    store(sum + lane, total);
    return any_larger<T>(top, old);
  }

  void finish(const Head<T>& head, const Queries<T>& queries, T* to, long stride, T* lse) {
    for (long i = 0; i < queries.count; i += kLanes<T>)
      store(max + i, load(max + i) * static_cast<T>(1 / kLog2e) + log(load(sum + i)));
    for (long i = 0; i < queries.count; ++i) {
      if (queries.token[i] >= 0) lse[queries.token[i]] = sum[i] == 0 ? -std::numeric_limits<T>::infinity() : max[i];
      scale[i] = sum[i] == 0 ? T(0) : 1 / sum[i];
    }
    queries.unpack(to, out, stride, head.dim, scale);
  }

  // Queries by themselves.
  void loose(const Head<T>& head, const std::int32_t* token, long queries, T* to, long stride, T* lse) {
    const long width = padded<T>(head.dim);
    T total[kLooseQueries] = {}, top[kLooseQueries], by[kLooseQueries];
    for (long i = 0; i < queries; ++i) {
      copy_scaled(q + i * width, head.scale, head.q + token[i] * head.stride, head.dim);
      top[i] = kLowest<T>;
    }
    fill(out, T(0), queries * width);
    for (long begin = 0; begin < head.tokens; begin += kLooseKeys) {
      const long count = head.tokens - begin < kLooseKeys ? head.tokens - begin : kLooseKeys;
      for (long i = 0; i < queries; ++i) {
        T* const row = s + i * kLooseStride;
        loose_logits(row, head, q + i * width, token[i], begin, count);
        const T before = top[i];
        top[i] = largest(row, count, before);
        by[i] = exp2(Vector<T>{} + (before - top[i]))[0];
        total[i] = total[i] * by[i] + weigh(row, count, top[i]);
      }
      add_rows(out, queries, head.dim, by, s, head.v + begin * head.stride, head.stride, count);
    }
    for (long i = 0; i < queries; ++i) {
      copy_scaled(to + token[i] * stride, total[i] == 0 ? T(0) : 1 / total[i], out + i * width, head.dim);
      lse[token[i]] = total[i] == 0 ? -std::numeric_limits<T>::infinity()
                                    : top[i] * static_cast<T>(1 / kLog2e) + std::log(total[i]);
    }
  }

  // The largest of `top` and s[0 .. count - 1]; fills up the last vector with -inf.
  static T largest(T* s, long count, T top) {
    for (long j = count; j % kLanes<T>; ++j) s[j] = -std::numeric_limits<T>::infinity();
    Vector<T> most = Vector<T>{} + top;
    for (long j = 0; j < count; j += kLanes<T>) most = larger<T>(most, load(s + j));
    for (long i = 0; i < kLanes<T>; ++i) top = top > most[i] ? top : most[i];
    return top;
  }
  // s[j] = 2^(s[j] - top); returns their sum
  static T weigh(T* s, long count, T top) {
    Vector<T> sum = {};
    for (long j = 0; j < count; j += kLanes<T>) {
      const Vector<T> weight = exp2(load(s + j) - top);
      store(s + j, weight);
      sum += weight;
    }
    return sum_of_lanes<T>(sum);
  }
};

// One head of one image, whose rows are `rows` and whose output goes to `out`.
template <class S>
void forward_part(const Attention<S>& p, const AttentionPart& part, const HeadRows<Acc<S>>& rows, Acc<S>* out,
                  long out_stride, const Ahead& ahead) {
  using T = Acc<S>;
  Forward<T> state;
  state.ahead = ahead;
  const Head<T> head(p, part.head, rows);
  T* const lse = p.lse + (part.image * p.sizes.heads + part.head) * p.sizes.tokens;
  for (long tile = part.first_tile; tile < part.last_tile; ++tile) {
    const Queries<T> queries(head, tile);
    state.start(head, queries);
    for_each_chunk(head, tile, [&](const KeyChunk<T>& keys) { state.add(head, queries, keys); });
    state.finish(head, queries, out, out_stride, lse);
  }
  if (part.with_loose)
    for_each_loose(*head.layout, [&](const std::int32_t* token, long queries) {
      state.loose(head, token, queries, out, out_stride, lse);
    });
}

}  // namespace

template <class S>
void attention(const Attention<S>& p) {
  using T = Acc<S>;
  make_tables(*p.plan, p.bias, p.workspace);
  const AttentionSizes& z = p.sizes;
  const long out_stride = z.heads * z.head_dim, width = padded<T>(z.head_dim), size = z.tokens * width;
  for_each_part<S>(*p.plan, z, Split::tiles, [&](const AttentionPart& part, const AttentionPart* next) {
    const HeadRows<S> from = rows_in_memory(p.qkv, z, part.image, part.head);
    S* const to = p.out + part.image * z.tokens * out_stride + part.head * z.head_dim;
    Ahead ahead;
    if (part.stage) {
      T* const stage = p.workspace + p.plan->tables() + part.thread * z.stage_size();
      copy_rows(stage, width, from.q, from.stride, z.tokens, z.head_dim);
      copy_rows(stage + size, width, from.k, from.stride, z.tokens, z.head_dim);
      copy_rows(stage + 2 * size, width, from.v, from.stride, z.tokens, z.head_dim);
      T* const out = stage + 3 * size;
      forward_part(p, part, {.q = stage, .k = stage + size, .v = stage + 2 * size, .stride = width}, out, width, ahead);
      for_each_query(*p.plan, part,
                     [&](long token) { copy_rows(to + token * out_stride, 0, out + token * width, 0, 1, z.head_dim); });
    } else if constexpr (std::is_same_v<S, T>) {
      ahead.add(to, out_stride, z.head_dim);
      if (next) {
        const HeadRows<S> rows = rows_in_memory(p.qkv, z, next->image, next->head);
        for (const T* first : {rows.q, rows.k, rows.v}) ahead.add(first, rows.stride, z.head_dim);
      }
      ahead.start(z.tokens, p.plan->heads.data()[part.head]->computed / 384 * (64 + z.head_dim) / 64);
      forward_part(p, part, from, to, out_stride, ahead);
    }
  });
}

}  // namespace KERNELS_ISA

KERNEL(attention, Attention, float);
KERNEL(attention, Attention, double);
KERNEL(attention, Attention, bf16);

}  // namespace kernels
