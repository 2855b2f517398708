// Arithmetic.
#include "vit/train/plan.h"

#include <algorithm>
#include <cmath>

#include "nn/reducer.h"

namespace lookhere {
namespace {

constexpr double kLatency = 20e-6, kMessage = 1e-6;

}  // namespace

Team team_of(const StepNeeds& needs, long batch, long devices, long shards, double speed, double network) {
  const auto count = static_cast<double>(devices);
  Team team{.devices = devices, .images = std::ceil(static_cast<double>(batch) / count)};
  const double gradients = needs.gradients / static_cast<double>(needs.shards) * static_cast<double>(shards);
  team.bytes = needs.bytes(team.images) - needs.gradients + gradients;
  team.computing = needs.seconds(team.images) / speed;
  if (devices == 1) return team;
  const double share = (count - 1) / count;
  const double buckets = std::ceil(needs.weights / static_cast<double>(bucket_bytes_for(devices)));
  team.bytes += share * needs.weights;
  team.reducing = 2 * share * needs.weights / network + 2 * (count - 1) * buckets * kMessage + 2 * kLatency;
  return team;
}

RunNeeds needs_of_run(const StepNeeds& needs, const Recipe& recipe, const ViTConfig& model, long ranks, long updates,
                      long test_images) {
  constexpr double kNetwork =
      1.25e9;  // of ranks on one machine the memory is faster, of a cluster the network at least
  const Team team = team_of(needs, recipe.batch_size, ranks, needs.shards, 1, kNetwork);
  const LoaderOptions usual;
  const auto waiting = static_cast<double>(std::max<long>(usual.prefetch, recipe.workers) + 1);
  const auto pixels = static_cast<double>(model.channels * model.height * model.width);
  const double step = team.seconds() + static_cast<double>(recipe.grad_accum_steps - 1) * needs.seconds(team.images);
  // A forward pass is a third of a step.
  const double evaluation = needs.seconds(static_cast<double>(test_images) / static_cast<double>(ranks)) / 3;
  return {.bytes = team.bytes + waiting * team.images * pixels * sizeof(float),
          .seconds = step * static_cast<double>(updates) + evaluation * static_cast<double>(recipe.epochs)};
}

double operations_of_run(const Recipe& recipe, const ViTConfig& model, long parameters, long updates) {
  const auto images = static_cast<double>(updates * recipe.batch_size * recipe.grad_accum_steps);
  return 6 * static_cast<double>(parameters) * static_cast<double>(model.grid().y * model.grid().x + 1) * images;
}

}  // namespace lookhere
