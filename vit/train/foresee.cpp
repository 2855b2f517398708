// Sums of what is known, what is there and what was measured, against what is allowed.
#include "vit/train/foresee.h"

#include <fmt/format.h>

#include "tensor/pool.h"

namespace lookhere {
namespace {

constexpr double kGiga = 1e9;

Recipe recipe_of_rank(const Recipe& recipe, long ranks) {
  const Share share = largest_share(recipe.shards, recipe.batch_size, ranks);
  Recipe own = recipe;
  own.shards = share.shards, own.batch_size = share.images, own.cuda_graph = false;
  return own;
}

void require_room(double bytes, const Recipe& recipe, const MemoryBudget& budget, const std::string& what,
                  const char* advice) {
  const Device device = device_of(recipe);
  const double most = allowed_memory(budget, static_cast<double>(memory_of(device)), device);
  if (bytes <= most) return;
  throw Error(fmt::format("--mem-limit: {} need about {:.3g} GB, and {:.3g} are {}: {}", what, bytes / kGiga,
                          most / kGiga, budget.limit > 0 ? "allowed" : "there", advice),
              Exit::memory);
}

}  // namespace

void require_room_for_state(const Trainer::Beginning& run, long ranks, const MemoryBudget& budget) {
  const Recipe own = recipe_of_rank(run.recipe, ranks);
  const double state = state_of(own, run.model.parameter_count(), trained_count(run.model)).state(),
               others = bytes_beside_tensors(device_of(own));
  require_room(state + run.batch_bytes + others, own, budget,
               fmt::format("before the first update weights, gradients of {} shards and moments ({:.2g} GB), batches "
                           "({:.2g} GB), program and data ({:.2g} GB)",
                           own.shards, state / kGiga, run.batch_bytes / kGiga, others / kGiga),
               "fewer --shards, a smaller model, --batch-size or --eval-batch-size, or less data need less");
}

StepNeeds measure_step_of(const Trainer::Beginning& run, long ranks, const std::function<void(long, long)>& told) {
  StepNeeds step = measure_needs(recipe_of_rank(run.recipe, ranks), run.model.config(), told);
  Pool::of(device_of(run.recipe)).release_kept();
  return step;
}

double require_room_for_steps(const Trainer::Beginning& run, const StepNeeds& step, long ranks,
                              const MemoryBudget& budget) {
  const double bytes = needs_of_run(step, run.recipe, ranks, run.updates, run.test_images).bytes + run.batch_bytes +
                       bytes_beside_tensors(device_of(run.recipe));
  require_room(bytes, run.recipe, budget, fmt::format("updates of {} images", run.recipe.batch_size),
               "a smaller --batch-size with a larger --grad-accum-steps needs less");
  return bytes;
}

}  // namespace lookhere
