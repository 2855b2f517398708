// How attention's work is split: by head, heaviest first, blocks of images and, where there are few images, runs of
// tiles.
#pragma once
#include <omp.h>

#include "kernels/attention.h"
#include "kernels/isa.h"

namespace kernels::KERNELS_ISA {

struct AttentionPart {
  long head, first_image, last_image, first_tile, last_tile;
  bool with_loose;  // the queries outside of the tiles too
  bool pack;        // one image of many tokens: worth a copy of its keys and values
  long thread;      // whose part of the workspace may be used
};

// f(part) in parallel. With `split_tiles` a head's tiles may go to different threads (the forward pass: a tile's
// results are its own); without, one thread has them all (the backward pass adds every tile's share to the keys'
// gradients). Images of a block share the search for visible keys. Which way it is split changes no result.
template <class F>
void for_each_part(const AttentionPlan& plan, const AttentionSizes& z, bool split_tiles, F f, long images_at_once = 0) {
  const long heads = z.heads, fair = z.images * heads / 16;  // leaves each of several threads a choice of parts
  const bool pack = z.packs();
  const long block = images_at_once ? images_at_once : fair < 1 || pack ? 1 : fair > 8 ? 8 : fair;
  const long blocks = (z.images + block - 1) / block, tiles = plan.heads.data()[0]->tiles() + 1;
  const long wanted = split_tiles ? 4 * omp_get_max_threads() / (heads * blocks) : 1;
  const long runs = wanted < 1 ? 1 : wanted < tiles ? wanted : tiles;
  parallel_for_uneven(heads * blocks * runs, z.tokens * z.tokens * z.head_dim, [&](long i) {
    const long head = plan.by_cost.data()[i / (blocks * runs)], at = i / runs % blocks, run = i % runs;
    const long own_tiles = plan.heads.data()[head]->tiles(), end = (at + 1) * block;
    f(AttentionPart{.head = head,
                    .first_image = at * block,
                    .last_image = end < z.images ? end : z.images,
                    .first_tile = own_tiles * run / runs,
                    .last_tile = own_tiles * (run + 1) / runs,
                    .with_loose = run + 1 == runs,
                    .pack = pack,
                    .thread = omp_get_thread_num()});
  });
}

}  // namespace kernels::KERNELS_ISA
