// Fused attention on the CPU, forward. It works on Sᵀ: the 64 queries of a tile lie in the lanes of vector registers,
// keys and values are broadcast from where they are, so that the softmax's maximum and sum run down the lanes and only
// queries are ever transposed. An online softmax (Milakov & Gimelshein 2018) carries both from chunk to chunk of keys.
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

template <class T>
constexpr T kLowest = T(-1e30);  // finite, so that -inf minus it stays -inf; 2^(kLowest - max) is 0

// The queries of one tile.
template <class S, class O>
struct Forward {
  using T = Acc<S>;
  alignas(64) O q[kMaxHeadDim / kSlotValues<O> * kTileQueries];          // (dim in slots, 64)
  alignas(64) T out[kMaxHeadDim * kTileQueries];                         // (dim, 64)
  alignas(64) T s[kChunk * kTileQueries];                                // (keys, 64): logits, then weights
  alignas(64) O weights[kPairs<O> ? kChunk * kTileQueries : kLanes<O>];  // of pairs of keys
  alignas(64) T max[kTileQueries], sum[kTileQueries], scale[kTileQueries];
  PrefetchQueue ahead;  // issued by the loops over register tiles

  void start(const Head<S, O>& head, const Queries<T>& queries) {
    queries.pack(q, head.q, head.q_stride, head.dim);
    fill(out, T(0), head.dim * kTileQueries);
    fill(max, kLowest<T>, kTileQueries);
    fill(sum, T(0), kTileQueries);
  }

  void add(const Head<S, O>& head, const Queries<T>& queries, const KeyChunk<S, O>& keys) {
    bool rescale = false;
    for_each_column_tile(keys.vectors, [&]<int kVectors>(long v) {
      Vector<T> top[kVectors];
      for (int i = 0; i < kVectors; ++i) top[i] = load(max + (keys.first_vector + v + i) * kLanes<T>);
      for_each_row_tile<kRowsBeside<kVectors>>(keys.count, ahead, [&]<int kRows>(long j) {
        T* to = s + j * kTileQueries + v * kLanes<T>;
        logit_tile<kRows, kVectors>(head, queries, keys, q, j, v, [&](int r, int i, Vector<T> x) {
          top[i] = larger<T>(top[i], x);
          store(to + r * kTileQueries + i * kLanes<T>, x);
        });
      });
      for (int i = 0; i < kVectors; ++i) rescale |= logits_to_weights(head, keys, v + i, top[i]);
    });
    const O* by_key = nullptr;
    if constexpr (kPairs<O>)
      pair_up(weights, s, keys), by_key = weights;
    else
      by_key = s;
    if (rescale)
      add_weighted_rows(out, head.dim, keys, by_key, ahead,
                        [&](long v, Vector<T> old) { return old * load(scale + v * kLanes<T>); });
    else
      add_weighted_rows(out, head.dim, keys, by_key, ahead, [](long, Vector<T> old) { return old; });
  }

  // Logits become weights relative to the new maximum; true if that differs from the old one in any lane.
  bool logits_to_weights(const Head<S, O>& head, const KeyChunk<S, O>& keys, long v, Vector<T> top) {
    if (head.sigmoid) {
      for (T* x = s + v * kLanes<T>; x < s + keys.count * kTileQueries; x += kTileQueries)
        store(x, sigmoid_of_log2<T>(load(x) + head.shift));
      return false;
    }
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

  void finish(const Head<S, O>& head, const Queries<T>& queries, S* to, long stride, T* lse) {
    if (head.sigmoid) fill(max, T(0), kTileQueries), fill(sum, T(1), kTileQueries);
    for (long i = 0; i < queries.count; i += kLanes<T>)
      store(max + i, load(max + i) * static_cast<T>(1 / kLog2e) + log(load(sum + i)));
    for (long i = 0; i < queries.count; ++i) {
      if (queries.token[i] >= 0) lse[queries.token[i]] = sum[i] == 0 ? -std::numeric_limits<T>::infinity() : max[i];
      scale[i] = sum[i] == 0 ? T(0) : 1 / sum[i];
    }
    queries.unpack(to, out, stride, head.dim, scale);
  }
};

// The largest of `top` and s[0 .. count - 1]; fills up the last vector with -inf.
template <class T>
T largest(T* s, long count, T top) {
  for (long j = count; j % kLanes<T>; ++j) s[j] = -std::numeric_limits<T>::infinity();
  Vector<T> most = Vector<T>{} + top;
  for (long j = 0; j < count; j += kLanes<T>) most = larger<T>(most, load(s + j));
  for (long i = 0; i < kLanes<T>; ++i) top = top > most[i] ? top : most[i];
  return top;
}
// s[j] = 2^(s[j] - top); returns their sum
template <class T>
T weigh(T* s, long count, T top) {
  Vector<T> sum = {};
  for (long j = 0; j < count; j += kLanes<T>) {
    const Vector<T> weight = exp2(load(s + j) - top);
    store(s + j, weight);
    sum += weight;
  }
  return sum_of_lanes<T>(sum);
}

// Queries by themselves. Scratch: s (kSingleQueries, kSingleStride), out (kSingleQueries, width).
template <class S, class O>
void forward_single(const Head<S, O>& head, const std::int32_t* token, long queries, S* to, long stride, Acc<S>* lse,
                    Acc<S>* s, Acc<S>* out) {
  using T = Acc<S>;
  const long width = padded<T>(head.dim);
  alignas(64) T rows[kSingleQueries * kMaxHeadDim];
  T total[kSingleQueries] = {}, top[kSingleQueries], by[kSingleQueries];
  for (long i = 0; i < queries; ++i) {
    copy_scaled(rows + i * width, head.scale, head.q + token[i] * head.q_stride, head.dim);
    top[i] = kLowest<T>;
  }
  fill(out, T(0), queries * width);
  for (long begin = 0; begin < head.tokens; begin += kSingleKeys) {
    const long count = smaller(kSingleKeys, head.tokens - begin);
    for (long i = 0; i < queries; ++i) {
      T* const row = s + i * kSingleStride;
      single_logits(row, head, rows + i * width, token[i], begin, count);
      const T before = top[i];
      top[i] = largest(row, count, before);
      if (head.sigmoid) {
        for (long j = 0; j < count; j += kLanes<T>) store(row + j, sigmoid_of_log2<T>(load(row + j) + head.shift));
        by[i] = total[i] = 1;
        continue;
      }
      by[i] = exp2(Vector<T>{} + (before - top[i]))[0];
      total[i] = total[i] * by[i] + weigh(row, count, top[i]);
    }
    add_rows(out, queries, head.dim, by, s, head.v + begin * head.stride, head.stride, count);
  }
  for (long i = 0; i < queries; ++i) {
    copy_scaled(to + token[i] * stride, total[i] == 0 ? T(0) : 1 / total[i], out + i * width, head.dim);
    if (head.sigmoid) top[i] = 0;
    lse[token[i]] =
        total[i] == 0 ? -std::numeric_limits<T>::infinity() : top[i] * static_cast<T>(1 / kLog2e) + std::log(total[i]);
  }
}

// A part of one image and head.
template <class O, class S>
void forward_part(const Attention<S>& p, const AttentionPart& part, const AttentionPart* next) {
  using T = Acc<S>;
  const AttentionSizes& z = p.sizes;
  const long stride = z.heads * z.head_dim;
  Acc<S>* const copies = p.workspace + p.plan->tables() + part.thread * z.stage_size();
  const HeadInput<S> input(p, part.image, part.head);
  const Head<S, O> head(p, part.head, input.q, key_rows<S, O>(input, z, copies, true));
  S* const out = p.out + z.out_begin(part.image, part.head);
  T* const lse = p.lse + (part.image * z.heads + part.head) * z.tokens;
  Forward<S, O> state;
  for (long tile = part.first_tile; tile < part.last_tile; ++tile) {
    const Queries<T> queries(head, tile);
    state.ahead = ahead_of_forward<S>({p, part, next, tile});
    state.start(head, queries);
    for_each_chunk(head, tile, [&](const KeyChunk<S, O>& keys) { state.add(head, queries, keys); });
    state.finish(head, queries, out, stride, lse);
  }
  if (part.with_single)
    for_each_single(*head.plan, [&](const std::int32_t* token, long queries) {
      forward_single(head, token, queries, out, stride, lse, state.s, state.out);
    });
}

}  // namespace

template <class S>
void attention(const Attention<S>& p) {
  make_tables(*p.plan, p.bias, p.workspace);
  for_each_run_of_tiles(*p.plan, p.sizes, [&](const AttentionPart& part, const AttentionPart* next) {
    if (p.sizes.head_dim % kDepth<S> == 0)
      forward_part<Slot<S>>(p, part, next);
    else
      forward_part<Acc<S>>(p, part, next);
  });
}

}  // namespace KERNELS_ISA

KERNEL(attention, Attention, float);
KERNEL(attention, Attention, double);
KERNEL_OF_PAIRS(attention, Attention);

}  // namespace kernels
