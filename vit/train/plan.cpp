// Small steps are made and timed; what is linear in blocks and images is scaled.
#include "vit/train/plan.h"

#include <algorithm>
#include <cmath>

#include "autograd/profile.h"
#include "nn/reducer.h"
#include "tensor/pool.h"
#include "vit/train/fine_tune.h"
#include "vit/train/synthetic_step.h"

namespace lookhere {
namespace {

constexpr long kTimed = 3;
constexpr double kLatency = 20e-6, kMessage = 1e-6;

struct Sample {
  double peak = 0, products = 0, attention = 0, others = 0, update = 0;
  long parameters = 0;
};

// A step of so many blocks and images.
Sample sample_of(Recipe recipe, ViTConfig model, long depth, long images, const std::function<void()>& step_done) {
  model.depth = depth, recipe.batch_size = images;
  const Device device = device_of(recipe);
  Pool& pool = Pool::of(device);
  const double before = static_cast<double>(pool.stats().in_use);
  ViT vit(model, static_cast<std::uint64_t>(recipe.seed), Dtype::f32, device);
  if (recipe.freeze) freeze_all_but_head(vit);
  SyntheticStep step(vit, recipe);
  const Tensor batch = random_images(model, images, static_cast<std::uint64_t>(recipe.seed));
  step(batch), synchronise(device), step_done();
  pool.reset_peak();
  Sample sample{.parameters = vit.parameter_count()};
  std::vector<double> seconds;
  const Profile profile(device);
  for (long i = 0; i < kTimed; ++i) {
    const auto begin = profile::Clock::now();
    step(batch), synchronise(device);
    seconds.push_back(profile::since(begin)), step_done();
  }
  sample.peak = static_cast<double>(pool.stats().peak) - before;
  double named = 0;
  for (const Profile::Entry& entry : profile.entries()) {
    const double each = (entry.forward + entry.backward) / kTimed;
    const bool product = entry.op == "linear" || entry.op == "mlp";
    const bool update = entry.op == "adamw" || entry.op == "sum over shards";
    (product                   ? sample.products
     : entry.op == "attention" ? sample.attention
     : update                  ? sample.update
                               : sample.others) += each;
    named += each;
  }
  std::ranges::sort(seconds);
  sample.others += std::max(0.0, seconds[kTimed / 2] - named);  // waiting
  return sample;
}

// Positions that name something for every layer fit no other number of them.
bool can_have_depth(ViTConfig model, long depth) {
  try {
    model.depth = depth, model.validate();
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

long images_to_measure(const Recipe& recipe) {
  if (device_of(recipe) == Device::cpu) return recipe.shards;
  constexpr long kMost = 32;  // of a shard
  return std::clamp(recipe.batch_size / recipe.shards / 2, 1L, kMost) * recipe.shards;
}

StepNeeds measure_needs(const Recipe& recipe, const ViTConfig& model, const std::function<void(long, long)>& told) {
  model.validate();
  const long fewer = images_to_measure(recipe), many = 2 * fewer;
  const bool small = model.depth > 3 && can_have_depth(model, 2) && can_have_depth(model, 3);
  const long low = small ? 2 : model.depth, high = small ? 3 : model.depth;
  long done = 0;
  const long all = (small ? 4 : 2) * (kTimed + 1);
  const auto step_done = [&] { told(++done, all); };
  const Sample few = sample_of(recipe, model, low, fewer, step_done),
               more = sample_of(recipe, model, low, many, step_done);
  Sample few_high = few, more_high = more;
  if (small) {
    few_high = sample_of(recipe, model, high, fewer, step_done);
    more_high = sample_of(recipe, model, high, many, step_done);
  }
  // At the model's depth.
  const auto deep = [&](auto Sample::*field, const Sample& a, const Sample& b) {
    const auto from = static_cast<double>(a.*field), to = static_cast<double>(b.*field);
    return small ? from + (to - from) * static_cast<double>(model.depth - low) : from;
  };
  const double once = deep(&Sample::peak, few, few_high), twice = deep(&Sample::peak, more, more_high);
  StepNeeds needs{.parameters = std::lround(deep(&Sample::parameters, few, few_high)), .shards = recipe.shards};
  const auto floats = static_cast<double>(needs.parameters) * sizeof(float), images = static_cast<double>(fewer);
  needs.weights = floats, needs.gradients = static_cast<double>(needs.shards) * floats, needs.moments = 2 * floats;
  needs.averages = recipe.model_ema_decay > 0 ? floats : 0;
  needs.image = (twice - once) / images;
  needs.workspace = std::max(0.0, once - needs.image * images - needs.weights - needs.gradients - needs.moments);
  const auto each = [&](double Sample::*field) { return std::max(0.0, deep(field, more, more_high)) / (2 * images); };
  needs.products = each(&Sample::products), needs.attention = each(&Sample::attention);
  needs.others = each(&Sample::others);
  // As long as the parameters are many, whatever the images: by ratio, which noise cannot turn below zero.
  needs.update = (few_high.update + more_high.update) / 2 * static_cast<double>(needs.parameters) /
                 static_cast<double>(more_high.parameters);
  return needs;
}

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
