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

  void start(const Head<T>& head, const Queries<T>& queries) {
    queries.pack(q, head.q, head.stride, head.dim, head.scale);
    for (long i = 0; i < head.dim * kTileQueries; ++i) out[i] = 0;
    for (long i = 0; i < kTileQueries; ++i) max[i] = kLowest<T>, sum[i] = 0;
  }

  void add(const Head<T>& head, const Queries<T>& queries, const KeyChunk<T>& keys) {
    T* old_max = max + keys.first_vector * kLanes<T>;
    Vector<T> top[kTileVectorCount<T>];
    for (long v = 0; v < keys.vectors; ++v) top[v] = load(old_max + v * kLanes<T>);
    logits(head, queries, keys, q, [&](long j, long v, Vector<T> x) {
      top[v] = larger<T>(top[v], x);
      store(s + j * kTileQueries + v * kLanes<T>, x);
    });
    bool rescale = false;
    for (long v = 0; v < keys.vectors; ++v) rescale |= soften(keys, v, top[v]);
    if (rescale)
      add_weighted_rows(out, head.dim, keys, keys.v, s,
                        [&](long v, Vector<T> old) { return old * load(scale + v * kLanes<T>); });
    else
      add_weighted_rows(out, head.dim, keys, keys.v, s, [](long, Vector<T> old) { return old; });
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
    for (long i = 0; i < queries.count; ++i) {
      scale[i] = sum[i] == 0 ? T(0) : 1 / sum[i];
      if (queries.token[i] >= 0) lse[queries.token[i]] = log_sum_exp(max[i], sum[i]);
    }
    queries.unpack(to, out, stride, head.dim, scale);
  }

  // max in log2, sum of 2^(logit - max) → natural logarithm; -inf if nothing was visible
  static T log_sum_exp(T top, T total) {
    return total == 0 ? -std::numeric_limits<T>::infinity() : top * static_cast<T>(1 / kLog2e) + std::log(total);
  }

  // One query by itself: its logits stand in lanes, its output runs along the features.
  void loose(const Head<T>& head, long query, T* to, T* lse) {
    T* row = q;
    for (long d = 0; d < head.dim; ++d) row[d] = head.q[query * head.stride + d] * head.scale, out[d] = 0;
    T top = kLowest<T>, total = 0;
    for (long begin = 0; begin < head.tokens; begin += kLoose) {
      const long count = head.tokens - begin < kLoose ? head.tokens - begin : kLoose;
      const T before = top;
      for (long j = 0; j < count; ++j) {
        s[j] = loose_logit(head, row, query, begin + j);
        top = top > s[j] ? top : s[j];
      }
      const T by = exp2(Vector<T>{} + (before - top))[0];
      total = total * by + weigh(s, count, top);
      for (long d = 0; d < head.dim; ++d) out[d] *= by;
      add_rows(out, head.dim, head.v + begin * head.stride, head.stride, s, count);
    }
    const T inverse = total == 0 ? T(0) : 1 / total;
    for (long d = 0; d < head.dim; ++d) to[d] = out[d] * inverse;
    *lse = log_sum_exp(top, total);
  }
  static constexpr long kLoose = kChunk * kTileQueries - kLanes<T>;

  // s[j] = 2^(s[j] - top); returns their sum
  static T weigh(T* s, long count, T top) {
    for (long j = count; j % kLanes<T>; ++j) s[j] = -std::numeric_limits<T>::infinity();
    Vector<T> sum = {};
    for (long j = 0; j < count; j += kLanes<T>) {
      const Vector<T> weight = exp2(load(s + j) - top);
      store(s + j, weight);
      sum += weight;
    }
    return sum_of_lanes<T>(sum);
  }
};

}  // namespace

template <class T>
void attention(const Attention<T>& p) {
  make_tables(*p.plan, p.bias, p.workspace);
  const long stride = p.sizes.heads * p.sizes.head_dim;
  for_each_part(*p.plan, p.sizes, true, [&](const AttentionPart& part) {
    Forward<T> state;
    KeyList list;
    const HeadLayout& layout = *p.plan->heads[part.head];
    for (long tile = part.first_tile; tile < part.last_tile; ++tile) {
      const Queries<T> queries(Head<T>(p, part.first_image, part.head), tile);
      KeyCursor at;
      next_keys(layout, p.plan->grid, p.plan->prefix, tile, at, list);
      for (long image = part.first_image; image < part.last_image; ++image) {
        const Head<T> head(p, image, part.head);
        state.start(head, queries);
        for_each_chunk(head, tile, list, at, [&](const KeyChunk<T>& keys) { state.add(head, queries, keys); });
        state.finish(head, queries, p.out + image * p.sizes.tokens * stride + part.head * p.sizes.head_dim, stride,
                     p.lse + (image * p.sizes.heads + part.head) * p.sizes.tokens);
      }
    }
    if (!part.with_loose) return;
    for (long image = part.first_image; image < part.last_image; ++image)
      for (std::size_t i = 0; i < layout.loose.size(); ++i) {
        const long token = layout.loose.data()[i];
        state.loose(Head<T>(p, image, part.head), token,
                    p.out + (image * p.sizes.tokens + token) * stride + part.head * p.sizes.head_dim,
                    p.lse + (image * p.sizes.heads + part.head) * p.sizes.tokens + token);
      }
  });
}

}  // namespace KERNELS_ISA

KERNEL(attention, Attention, float);
KERNEL(attention, Attention, double);

}  // namespace kernels
