// What a thread needs after a tile of attention, asked for while it works on that tile: rows of one head lie pages
// apart, where the processor's own prefetching does not find them.
#pragma once
#include "kernels/attention/fused/head.h"
#include "kernels/attention/fused/schedule.h"
#include "kernels/simd/prefetch.h"

namespace kernels::KERNELS_ISA {

// One tile: whose it is, what its thread does after it, and where that lies.
template <class S, class Problem>
struct TileAhead {
  const Problem& p;
  const AttentionPart& part;
  const AttentionPart* next;  // the thread's next part, or null
  long tile;

  bool is_last() const { return tile + 1 == part.last_tile; }
  const HeadPlan& head() const { return p.plan->heads[part.head]; }

  // Queries: those of the next tile, or of the next part's first, or none at the end. add(part, tokens, count)
  template <class Add>
  void add_next_queries(Add add) const {
    if (is_last() && !next) return;
    const AttentionPart& of = is_last() ? *next : part;
    const HeadPlan& plan = p.plan->heads[of.head];
    const long first = is_last() ? of.first_tile : tile + 1;
    add(of, plan.token + first * kTileQueries, plan.lanes(first));
  }
  // This tile's share of all tokens' rows, packed as q, k and v are.
  void add_share(PrefetchQueue& queue, const S* rows) const {
    const AttentionSizes& z = p.sizes;
    const long tiles = part.last_tile - part.first_tile, at = tile - part.first_tile;
    const long begin = z.tokens * at / tiles, end = z.tokens * (at + 1) / tiles;
    queue.add(rows + begin * z.head_stride(), z.head_stride(), z.head_dim, nullptr, end - begin);
  }
  // The same of the next part's keys and values, unless there are too many to be kept.
  void add_next_keys(PrefetchQueue& queue) const {
    constexpr long kMost = 256L << 10;  // bytes, of a second-level cache of half a megabyte and more
    if (!next || p.sizes.tokens * p.sizes.head_dim * static_cast<long>(2 * sizeof(S)) > kMost) return;
    const HeadInput<S> input(p, next->image, next->head);
    add_share(queue, input.k);
    add_share(queue, input.v);
  }
  // About how many register tiles of 6 × 64 pairs a tile's logits take: as many chances to ask for rows. A product with
  // features in the place of keys takes head_dim / 64 times as many.
  long register_tiles() const { return head().computed / (head().tiles() * kTileRows * kTileQueries); }
};

// Forward: where results go, and the next queries, keys and values.
template <class S>
PrefetchQueue ahead_of_forward(const TileAhead<S, Attention<S>>& at) {
  const Attention<S>& p = at.p;
  const AttentionSizes& z = p.sizes;
  const long stride = z.heads * z.head_dim;
  const HeadPlan& head = at.head();
  S* const out = p.out + z.out_begin(at.part.image, at.part.head);
  PrefetchQueue queue;
  queue.add(out, stride, z.head_dim, head.token + at.tile * kTileQueries, head.lanes(at.tile));
  at.add_next_queries([&](const AttentionPart& of, const std::int32_t* token, long count) {
    queue.add(HeadInput<S>(p, of.image, of.head).q, z.head_stride(), z.head_dim, token, count);
  });
  if (at.is_last()) {
    const HeadInput<S> input(p, at.part.image, at.part.head);
    queue.add(input.q, z.head_stride(), z.head_dim, head.single, head.singles);
    queue.add(out, stride, z.head_dim, head.single, head.singles);
  }
  at.add_next_keys(queue);
  queue.spread_over(at.register_tiles() * (64 + z.head_dim) / 64);
  return queue;
}

// Backward: the next queries with their outputs and gradients, where this head's gradients go, the next keys and
// values.
template <class S>
PrefetchQueue ahead_of_backward(const TileAhead<S, AttentionBackward<S>>& at) {
  const AttentionBackward<S>& p = at.p;
  const AttentionSizes& z = p.sizes;
  const long stride = z.heads * z.head_dim;
  const HeadPlan& head = at.head();
  PrefetchQueue queue;
  const auto add_queries = [&](const AttentionPart& of, const std::int32_t* token, long count) {
    const long out = z.out_begin(of.image, of.head);
    queue.add(HeadInput<S>(p, of.image, of.head).q, z.head_stride(), z.head_dim, token, count);
    queue.add(p.dout + out, stride, z.head_dim, token, count);
    queue.add(p.out + out, stride, z.head_dim, token, count);
  };
  at.add_next_queries(add_queries);
  if (at.is_last()) add_queries(at.part, head.single, head.singles);
  S* const dq = p.dqkv + z.packed_begin(at.part.image, 0, at.part.head);
  queue.add(dq, z.head_stride(), z.head_dim, head.token + at.tile * kTileQueries, head.lanes(at.tile));
  at.add_share(queue, dq + stride);
  at.add_share(queue, dq + 2 * stride);
  at.add_next_keys(queue);
  queue.spread_over(at.register_tiles() * (128 + 3 * z.head_dim) / 64);
  return queue;
}

}  // namespace kernels::KERNELS_ISA
