// How attention's work is split: by head, heaviest first, blocks of images and, where there are few images, runs of
// tiles.
#pragma once
#include "kernels/attention.h"
#include "kernels/isa.h"

namespace kernels::KERNELS_ISA {

struct AttentionPart {
  long head, first_image, last_image, first_tile, last_tile;
  bool with_loose;  // the queries outside of the tiles too
};

// f(part) in parallel. With `split_tiles` a head's tiles may go to different threads (the forward pass: a tile's
// results are its own); without, one thread has them all (the backward pass adds every tile's share to the keys'
// gradients). Images of a block share the search for visible keys. Which way it is split changes no result.
template <class F>
void for_each_part(const AttentionPlan& plan, const AttentionSizes& z, bool split_tiles, F f, long images_at_once = 0) {
  const long heads = z.heads, fair = z.images * heads / 16;  // leaves each of several threads a choice of parts
  const long block = images_at_once ? images_at_once : fair < 1 ? 1 : fair > 8 ? 8 : fair;
  const long blocks = (z.images + block - 1) / block, tiles = plan.heads.data()[0]->tiles();
  const long runs = split_tiles && heads * blocks < 64 && tiles > 8 ? (tiles + 7) / 8 : 1;
  parallel_for_uneven(heads * blocks * runs, z.tokens * z.tokens * z.head_dim, [&](long i) {
    const long head = plan.by_cost.data()[i / (blocks * runs)], at = i / runs % blocks, run = i % runs;
    const long own_tiles = plan.heads.data()[head]->tiles(), end = (at + 1) * block;
    f(AttentionPart{.head = head,
                    .first_image = at * block,
                    .last_image = end < z.images ? end : z.images,
                    .first_tile = own_tiles * run / runs,
                    .last_tile = own_tiles * (run + 1) / runs,
                    .with_loose = run + 1 == runs});
  });
}

}  // namespace kernels::KERNELS_ISA
