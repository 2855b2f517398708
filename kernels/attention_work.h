// How attention's work is split: by head, heaviest first, blocks of images and, where there are few images, runs of
// tiles.
#pragma once
#include <omp.h>

#include <type_traits>

#include "kernels/attention_tile.h"
#include "kernels/isa.h"

namespace kernels::KERNELS_ISA {

// A run of the tiles of one image and head.
struct AttentionPart {
  long image, head, first_tile, last_tile;
  bool with_loose;  // the queries outside of the tiles too
  bool stage;       // its rows are copied into the workspace first
  long thread;      // whose part of the workspace may be used
};

enum class Split { tiles, heads, images_together };

// f(part, next part of the same thread or null) in parallel. Split::tiles may give a head's tiles to different threads
// (the forward pass: a tile's results are its own); with Split::heads one thread has them all (the backward pass adds
// every tile's share to the keys' gradients), with Split::images_together those of all images in order (and to the
// table's). Which way it is split changes no result.
template <class S, class F>
void for_each_part(const AttentionPlan& plan, const AttentionSizes& z, Split split, F f) {
  // Rows of one head lie a few pages apart, on few of the caches' sets: many of them are read faster from a copy. bf16
  // is copied anyhow: the arithmetic is in f32.
  const bool stage = z.tokens > 256 || !std::is_same_v<S, Acc<S>>;
  const long items = z.images * z.heads, threads = omp_get_max_threads(), work = z.tokens * z.tokens * z.head_dim;
  const long tiles = plan.heads.data()[0]->tiles() + 1, wanted = split == Split::tiles ? 4 * threads / items : 1;
  const long runs = wanted < 1 ? 1 : wanted < tiles ? wanted : tiles;
  const auto part_at = [&](long image, long order, long run) {
    const long head = plan.by_cost.data()[order], own_tiles = plan.heads.data()[head]->tiles();
    return AttentionPart{.image = image,
                         .head = head,
                         .first_tile = own_tiles * run / runs,
                         .last_tile = own_tiles * (run + 1) / runs,
                         .with_loose = run + 1 == runs,
                         .stage = stage,
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
  // Taking parts ahead leaves threads with nothing to do at the end: only where there are many.
  if (stage || items < 16 * threads)
    return parallel_for_uneven(items * runs, work, [&](long i) { f(part(i), nullptr); });
  parallel_for_ahead(items, work, [&](long i, long next) {
    const AttentionPart ahead = part(next);
    f(part(i), next < items ? &ahead : nullptr);
  });
}

// f(token) for the queries of a part.
template <class F>
void for_each_query(const AttentionPlan& plan, const AttentionPart& part, F f) {
  const HeadLayout& layout = *plan.heads.data()[part.head];
  const std::int32_t* token = layout.token.data();
  const long end = part.last_tile * kTileQueries < layout.groups() * kGroupQueries ? part.last_tile * kTileQueries
                                                                                   : layout.groups() * kGroupQueries;
  for (long i = part.first_tile * kTileQueries; i < end; ++i)
    if (token[i] >= 0) f(token[i]);
  for (std::size_t i = 0; part.with_loose && i < layout.loose.size(); ++i) f(layout.loose.data()[i]);
}

// f(tokens, count) for the queries outside of the tiles, a few at a time.
template <class F>
void for_each_loose(const HeadLayout& layout, F f) {
  const long count = static_cast<long>(layout.loose.size());
  for (long i = 0; i < count; i += kLooseQueries)
    f(layout.loose.data() + i, count - i < kLooseQueries ? count - i : kLooseQueries);
}

template <class S>
HeadRows<S> rows_in_memory(const S* qkv, const AttentionSizes& z, long image, long h) {
  const long part = z.heads * z.head_dim;
  const S* q = qkv + image * z.tokens * z.head_stride() + h * z.head_dim;
  return {.q = q, .k = q + part, .v = q + 2 * part, .stride = z.head_stride()};
}

}  // namespace kernels::KERNELS_ISA
