// How attention's work is split: by head, heaviest first, blocks of images and, where there are few images, runs of
// tiles.
#pragma once
#include <omp.h>

#include <type_traits>

#include "kernels/attention/fused/single.h"
#include "kernels/attention/fused/tile.h"

namespace kernels::KERNELS_ISA {

// A run of the tiles of one image and head.
struct AttentionPart {
  long image, head, first_tile, last_tile;
  bool with_single;  // the queries outside of the tiles too
  long thread;       // whose part of the workspace may be used
};

enum class Split { tiles, heads, images_together };

// f(part, next part of the same thread or null) in parallel. Split::tiles may give a head's tiles to different threads
// (the forward pass: a tile's results are its own); with Split::heads one thread has them all (the backward pass adds
// every tile's share to the keys' gradients), with Split::images_together those of all images in order (and to the
// table's). Which way it is split changes no result.
template <class F>
void for_each_part(const AttentionPlan& plan, const AttentionSizes& z, Split split, F f) {
  const long items = z.images * z.heads, threads = omp_get_max_threads(), work = z.tokens * z.tokens * z.head_dim;
  const long tiles = plan.heads.data()[0]->tiles() + 1, wanted = split == Split::tiles ? 4 * threads / items : 1;
  const long runs = wanted < 1 ? 1 : wanted < tiles ? wanted : tiles;
  const auto part_at = [&](long image, long order, long run) {
    const long head = plan.by_cost.data()[order], own_tiles = plan.heads.data()[head]->tiles();
    return AttentionPart{.image = image,
                         .head = head,
                         .first_tile = own_tiles * run / runs,
                         .last_tile = own_tiles * (run + 1) / runs,
                         .with_single = run + 1 == runs,
                         .thread = omp_get_thread_num()};
  };
  if (split == Split::images_together)
    return parallel_for_uneven(z.heads, z.images * work, [&](long i) {
      for (long image = 0; image < z.images; ++image) {
        const AttentionPart next = part_at(image + 1, i, 0);
        f(part_at(image, i, 0), image + 1 < z.images ? &next : nullptr);
      }
    });
  const auto part = [&](long i) { return part_at(i / (z.heads * runs), i / runs % z.heads, i % runs); };
  // Taking parts in advance leaves threads with nothing to do at the end: only where there are many.
  if (items < 16 * threads) return parallel_for_uneven(items * runs, work, [&](long i) { f(part(i), nullptr); });
  parallel_for_with_next(items, work, [&](long i, long next) {
    const AttentionPart following = part(next);
    f(part(i), next < items ? &following : nullptr);
  });
}

// Where one image and head has its rows in memory: of q, k and v head_stride apart, of the output heads · head_dim.
template <class S>
struct Rows {
  const S *q, *k, *v;
  long first;  // of the output, and of its gradient
  template <class Problem>
  Rows(const Problem& p, const AttentionPart& part) {
    const AttentionSizes& z = p.sizes;
    const long width = z.heads * z.head_dim;
    q = p.qkv + part.image * z.tokens * z.head_stride() + part.head * z.head_dim;
    k = q + width, v = k + width;
    first = part.image * z.tokens * width + part.head * z.head_dim;
  }
};

// Keys and values where the kernel reads them: in memory, or copied into the thread's part of `workspace`, whose second
// half stays free. Keys of one head lie a few pages apart, on few of the caches' sets: many are read faster from a
// copy.
template <class S, class O, class Problem>
KeyRows<S, O> keys_of(const Problem& p, const AttentionPart& part, const Rows<S>& rows, Acc<S>* workspace,
                      bool weigh_values) {
  using Stored = typename KeyRows<S, O>::Stored;
  const AttentionSizes& z = p.sizes;
  const long width = padded<Acc<S>>(z.head_dim), size = z.tokens * width;
  KeyRows<S, O> keys;
  auto* copy = reinterpret_cast<Stored*>(workspace + part.thread * z.stage_size());
  if constexpr (std::is_same_v<S, Stored>) keys.k = rows.k, keys.v = rows.v, keys.stride = z.head_stride();
  if (z.tokens > 256 || !std::is_same_v<S, Stored>) {
    copy_rows(copy, width, Acc<S>(1), rows.k, z.head_stride(), z.tokens, z.head_dim);
    copy_rows(copy + size, width, Acc<S>(1), rows.v, z.head_stride(), z.tokens, z.head_dim);
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

// Queries that a thread works on after a tile: those of the next tile, or of the next head's first; none at the end.
struct NextQueries {
  const AttentionPart* part;
  const std::int32_t* token;
  long count;
};
inline NextQueries queries_after(const AttentionPlan& plan, const AttentionPart& part, const AttentionPart* next,
                                 long tile) {
  const bool here = tile + 1 < part.last_tile;
  if (!here && !next) return {&part, nullptr, 0};
  const AttentionPart& of = here ? part : *next;
  const HeadLayout& layout = *plan.heads.data()[of.head];
  const long first = here ? tile + 1 : of.first_tile;
  return {&of, layout.token.data() + first * kTileQueries, layout.lanes(first)};
}

// About how many register tiles of 6 × 64 pairs a tile's logits take: as many chances to ask for rows. A product with
// features in the place of keys takes head_dim / 64 times as many.
inline long register_tiles(const HeadLayout& layout) {
  return layout.computed / (layout.tiles() * kTileRows * kTileQueries);
}

// Adds a tile's share of all tokens' rows.
template <class T>
void add_share(PrefetchQueue& prefetch, const T* rows, const AttentionSizes& z, const AttentionPart& part, long tile) {
  const long tiles = part.last_tile - part.first_tile, at = tile - part.first_tile;
  const long begin = z.tokens * at / tiles, end = z.tokens * (at + 1) / tiles;
  prefetch.add(rows + begin * z.head_stride(), z.head_stride(), z.head_dim, nullptr, end - begin);
}

// The same of the next head's keys and values, unless there are too many to be kept.
template <class S, class Problem>
void add_next_keys(PrefetchQueue& prefetch, const Problem& p, const AttentionPart& part, const AttentionPart* next,
                   long tile) {
  constexpr long kMost = 256L << 10;  // bytes, of a second-level cache of half a megabyte and more
  if (!next || p.sizes.tokens * p.sizes.head_dim * static_cast<long>(2 * sizeof(S)) > kMost) return;
  const Rows<S> rows(p, *next);
  add_share(prefetch, rows.k, p.sizes, part, tile);
  add_share(prefetch, rows.v, p.sizes, part, tile);
}

// f(tokens, count) for the queries outside of the tiles, a few at a time.
template <class F>
void for_each_single(const HeadLayout& layout, F f) {
  const long count = static_cast<long>(layout.single.size());
  for (long i = 0; i < count; i += kSingleQueries)
    f(layout.single.data() + i, count - i < kSingleQueries ? count - i : kSingleQueries);
}

}  // namespace kernels::KERNELS_ISA
