// How attention's work is split over threads: by image and head, the heaviest heads of an image first, and where there
// are few of both, by runs of tiles. How it is split changes no result.
#pragma once
#include <omp.h>

#include "kernels/attention/attention.h"
#include "kernels/attention/fused/plan.h"
#include "kernels/simd/vector.h"

namespace kernels::KERNELS_ISA {

// A run of the tiles of one image and head.
struct AttentionPart {
  long image, head, first_tile, last_tile;
  bool with_single;  // the queries outside of the tiles too
  long thread;       // whose part of the workspace may be used
};
inline AttentionPart part_of(const AttentionPlan& plan, long image, long order, long run = 0, long runs = 1) {
  const long head = plan.by_cost[order], tiles = plan.heads[head].tiles();
  return {.image = image,
          .head = head,
          .first_tile = tiles * run / runs,
          .last_tile = tiles * (run + 1) / runs,
          .with_single = run + 1 == runs,
          .thread = omp_get_thread_num()};
}
inline long work_of_head(const AttentionSizes& z) { return z.tokens * z.tokens * z.head_dim; }

// All of these call f(part, the next part of the same thread, or null if that is not known).

// One thread has all tiles of an image and head: the backward pass adds every tile's share to the keys' gradients.
template <class F>
void for_each_head(const AttentionPlan& plan, const AttentionSizes& z, F f) {
  // A thread that takes parts in advance keeps them from others, which are idle at the end: only where a thread has so
  // many that this is little.
  constexpr long kEnoughToTakeAhead = 16;
  const long parts = z.images * z.heads;
  const auto part = [&](long i) { return part_of(plan, i / z.heads, i % z.heads); };
  if (parts < kEnoughToTakeAhead * omp_get_max_threads())
    return parallel_for_uneven(parts, work_of_head(z), [&](long i) { f(part(i), nullptr); });
  parallel_for_with_next(parts, work_of_head(z), [&](long i, long next) {
    const AttentionPart following = part(next);
    f(part(i), next < parts ? &following : nullptr);
  });
}

// One thread has a head of all images, in order: the gradient of its table is a sum over them.
template <class F>
void for_each_head_over_images(const AttentionPlan& plan, const AttentionSizes& z, F f) {
  parallel_for_uneven(z.heads, z.images * work_of_head(z), [&](long order) {
    for (long image = 0; image < z.images; ++image) {
      const AttentionPart next = part_of(plan, image + 1, order);
      f(part_of(plan, image, order), image + 1 < z.images ? &next : nullptr);
    }
  });
}

// Several threads may share an image and head: in the forward pass a tile's results are its own.
template <class F>
void for_each_run_of_tiles(const AttentionPlan& plan, const AttentionSizes& z, F f) {
  // So many parts for each thread that the last ones, of different cost, leave none idle for long.
  constexpr long kPartsOfThread = 4;
  const long heads = z.images * z.heads, wanted = kPartsOfThread * omp_get_max_threads() / heads;
  const long runs = smaller(wanted, plan.heads[0].tiles() + 1);
  if (runs <= 1) return for_each_head(plan, z, f);
  parallel_for_uneven(heads * runs, work_of_head(z), [&](long i) {
    f(part_of(plan, i / (z.heads * runs), i / runs % z.heads, i % runs, runs), nullptr);
  });
}

}  // namespace kernels::KERNELS_ISA
