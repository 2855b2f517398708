// Arithmetic.
#include "vit/train/plan.h"

#include <algorithm>
#include <cmath>

#include "nn/reducer.h"
#include "tensor/pool.h"
#include "tensor/system/memory_limits.h"

namespace lookhere {
namespace {

constexpr double kLatency = 20e-6, kMessage = 1e-6;

}  // namespace

Share largest_share(long shards, long batch, long ranks) {
  const ShardRange first = shard_range(shards, 0, ranks);  // none has more
  return {.shards = first.size(), .images = shard_range(batch, first, shards).size()};
}

Team team_of(const StepNeeds& needs, long batch, long devices, long shards, double speed, double network) {
  const Share share = largest_share(std::max(shards, devices), batch, devices);
  const auto count = static_cast<double>(devices), others = (count - 1) / count;
  Team team{.devices = devices, .shards = share.shards, .images = static_cast<double>(share.images)};
  const double trained = needs.gradients / static_cast<double>(needs.shards);  // bytes of one shard's
  team.gradients = trained * static_cast<double>(share.shards);
  team.received = others * trained;
  team.bytes = needs.bytes(team.images) - needs.gradients + team.gradients + team.received;
  team.computing = needs.seconds(team.images) / speed;
  if (devices == 1) return team;
  const double buckets = std::ceil(trained / static_cast<double>(bucket_bytes_for(devices)));
  team.reducing = 2 * others * trained / network + 2 * (count - 1) * buckets * kMessage + 2 * kLatency;
  return team;
}

std::vector<MemoryPart> memory_parts(const StepNeeds& needs, const Team& team, double program) {
  std::vector<MemoryPart> parts;
  const auto add = [&](const std::string& name, const char* key, double bytes) {
    if (bytes >= 1) parts.push_back({name, key, std::lround(bytes)});
  };
  add("program and libraries", "program_bytes", program);
  add("weights", "weights_bytes", needs.weights);
  add(concat("gradients of ", team.shards, team.shards == 1 ? " shard" : " shards"), "gradients_bytes", team.gradients);
  add("AdamW's moments", "moments_bytes", needs.moments);
  add("averaged weights", "averages_bytes", needs.averages);
  add("workspaces", "workspace_bytes", needs.workspace);
  add(concat("activations of ", team.images, team.images == 1 ? " image" : " images"), "activations_bytes",
      needs.image * team.images);
  add("gradients that others send", "received_bytes", team.received);
  return parts;
}

long sum_of(const std::vector<MemoryPart>& parts) {
  long all = 0;
  for (const MemoryPart& part : parts) all += part.bytes;
  return all;
}

double bytes_beside_tensors(Device device) {
  if (device == Device::cuda) return 0;
  return static_cast<double>(std::max(0L, resident_memory() - Pool::of(device).stats().reserved));
}

double allowed_memory(const MemoryBudget& budget, double there, Device device) {
  if (budget.limit > 0) return budget.limit;
  return device == Device::cuda ? there : there / static_cast<double>(budget.processes);
}

double bytes_of_batches(const Dataset& dataset, const LoaderOptions& o) {
  const long rows = std::min(o.batch_size, dataset.size());
  const ShardRange own = shard_range(rows, o.shards, o.shards_in_all);
  const bool mixes = o.device == Device::cpu && (o.mix.mixup_alpha > 0 || o.mix.cutmix_alpha > 0);
  const long height = o.image_height ? o.image_height : dataset.height,
             width = o.image_width ? o.image_width : dataset.width;
  const auto images = static_cast<double>((std::max(o.prefetch, o.workers) + 1) * (mixes ? rows : own.size()));
  return images * static_cast<double>(dataset.channels * height * width) * sizeof(float);
}

RunNeeds needs_of_run(const StepNeeds& needs, const Recipe& recipe, long ranks, long updates, long test_images) {
  // Of ranks on one machine the memory is faster, of a cluster the network at least as fast.
  constexpr double kNetwork = 1.25e9;
  const Team team = team_of(needs, recipe.batch_size, ranks, recipe.shards, 1, kNetwork);
  const double step = team.seconds() + static_cast<double>(recipe.grad_accum_steps - 1) * needs.seconds(team.images);
  // A forward pass is a third of a step.
  const double evaluation = needs.seconds(static_cast<double>(test_images) / static_cast<double>(ranks)) / 3;
  return {.bytes = team.bytes,
          .seconds = step * static_cast<double>(updates) + evaluation * static_cast<double>(recipe.epochs)};
}

double operations_of_run(const Recipe& recipe, const ViTConfig& model, long parameters, long updates) {
  const auto images = static_cast<double>(updates * recipe.batch_size * recipe.grad_accum_steps);
  return 6 * static_cast<double>(parameters) * static_cast<double>(model.grid().y * model.grid().x + 1) * images;
}

}  // namespace lookhere
