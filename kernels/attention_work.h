// How attention's work is split: by head, heaviest first, blocks of images and, where there are few images, runs of
// tiles.
#pragma once
#include <omp.h>

#include <type_traits>

#include "kernels/attention_tile.h"
#include "kernels/isa.h"

namespace kernels::KERNELS_ISA {

struct AttentionPart {
  long head, first_image, last_image, first_tile, last_tile;
  bool with_loose;  // the queries outside of the tiles too
  bool stage;       // one image, whose rows are copied into the workspace first
  long thread;      // whose part of the workspace may be used
};

// f(part) in parallel. With `split_tiles` a head's tiles may go to different threads (the forward pass: a tile's
// results are its own); without, one thread has them all (the backward pass adds every tile's share to the keys'
// gradients). Images of a block share the search for visible keys. Which way it is split changes no result.
template <class S, class F>
void for_each_part(const AttentionPlan& plan, const AttentionSizes& z, bool split_tiles, F f, long images_at_once = 0) {
  const long heads = z.heads, fair = z.images * heads / 16;  // leaves each of several threads a choice of parts
  // Rows of one head lie a few pages apart, on few of the caches' sets: many of them are read faster from a copy. bf16
  // is copied anyhow: the arithmetic is in f32.
  const bool stage = z.tokens > 256 || !std::is_same_v<S, Acc<S>>;
  const long block = images_at_once ? images_at_once : fair < 1 || stage ? 1 : fair > 8 ? 8 : fair;
  const long blocks = (z.images + block - 1) / block, tiles = plan.heads.data()[0]->tiles() + 1;
  const long wanted = split_tiles ? 4 * omp_get_max_threads() / (heads * blocks) : 1;
  const long runs = wanted < 1 ? 1 : wanted < tiles ? wanted : tiles;
  parallel_for_uneven(heads * blocks * runs, z.tokens * z.tokens * z.head_dim, [&](long i) {
    // All heads of some images, then the next: their rows lie side by side, and what one head fetches helps the next.
    const long head = plan.by_cost.data()[i / runs % heads], at = i / (heads * runs), run = i % runs;
    const long own_tiles = plan.heads.data()[head]->tiles(), end = (at + 1) * block;
    f(AttentionPart{.head = head,
                    .first_image = at * block,
                    .last_image = end < z.images ? end : z.images,
                    .first_tile = own_tiles * run / runs,
                    .last_tile = own_tiles * (run + 1) / runs,
                    .with_loose = run + 1 == runs,
                    .stage = stage,
                    .thread = omp_get_thread_num()});
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

template <class S>
HeadRows<S> rows_in_memory(const S* qkv, const AttentionSizes& z, long image, long h) {
  const long part = z.heads * z.head_dim;
  const S* q = qkv + image * z.tokens * z.head_stride() + h * z.head_dim;
  return {.q = q, .k = q + part, .v = q + 2 * part, .stride = z.head_stride()};
}

}  // namespace kernels::KERNELS_ISA
