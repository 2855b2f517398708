// Small steps of two depths take turns, so that what else the machine does meets both.
#include "vit/train/step_needs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <optional>
#include <utility>

#include "autograd/profile.h"
#include "tensor/pool.h"
#include "vit/train/fine_tune.h"
#include "vit/train/synthetic_step.h"

namespace lookhere {
namespace {

constexpr long kTimed = 4;
constexpr long kLow = 2, kHigh = 4;  // blocks
constexpr double kFarApart = 2;

struct Part {
  const char* name;
  double StepTimes::*seconds;
};
constexpr std::array<Part, 4> kParts{{{"matrix products", &StepTimes::products},
                                      {"attention", &StepTimes::attention},
                                      {"other operations", &StepTimes::others},
                                      {"sum over shards and AdamW", &StepTimes::update}}};

double in_use(Device device) { return static_cast<double>(Pool::of(device).stats().in_use); }

StepTimes by_part(const Profile& profile, double seconds) {
  StepTimes times;
  double named = 0;
  for (const Profile::Entry& entry : profile.entries()) {
    const bool product = entry.op == "linear" || entry.op == "mlp";
    const bool update = entry.op == "adamw" || entry.op == "sum over shards";
    (product                   ? times.products
     : entry.op == "attention" ? times.attention
     : update                  ? times.update
                               : times.others) += entry.forward + entry.backward;
    named += entry.forward + entry.backward;
  }
  times.others += std::max(0.0, seconds - named);  // waiting
  return times;
}

// What was measured of steps of so many blocks and images.
struct Sample {
  double bytes = 0;
  std::vector<StepTimes> times = {};
};

// A model of so many blocks, and steps of it.
class Shallow {
 public:
  Shallow(const Recipe& recipe, ViTConfig config, long depth)
      : device_(device_of(recipe)),
        before_(in_use(device_)),
        model_(with_depth(std::move(config), depth), 1, Dtype::f32, device_) {
    if (recipe.freeze) freeze_all_but_head(model_);
    step_.emplace(model_, recipe);
    parameters = model_.parameter_count(), trained = trained_count(model_);
  }
  // Makes what stays from one step to the next.
  void warm_up(const Tensor& images) { (*step_)(images), synchronise(device_); }
  // What the pool has taken from the system, and not what was in use at most: a process has both, and that of two
  // threads in use depends on how far one is when the other has the most.
  void add_bytes(const Tensor& images, Sample& sample) {
    Pool& pool = Pool::of(device_);
    pool.release_kept();
    (*step_)(images), synchronise(device_);
    // In host memory the images are there as well.
    const auto own = static_cast<double>(images.device() == device_ ? images.bytes() : 0);
    sample.bytes = static_cast<double>(pool.stats().reserved) - before_ + own;
  }
  void add_step(const Tensor& images, Profile& profile, Sample& sample) {
    profile.clear();
    const auto begin = profile::Clock::now();
    (*step_)(images), synchronise(device_);
    sample.times.push_back(by_part(profile, profile::since(begin)));
  }
  Sample few, many;
  long parameters = 0, trained = 0;

 private:
  static ViTConfig with_depth(ViTConfig config, long depth) { return config.depth = depth, config; }
  const Device device_;
  const double before_;
  ViT model_;
  std::optional<SyntheticStep> step_;
};

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

StepTimes fastest(const std::vector<StepTimes>& steps) {
  StepTimes least = steps.at(0);
  for (const StepTimes& step : steps)
    for (const Part& part : kParts) least.*part.seconds = std::min(least.*part.seconds, step.*part.seconds);
  return least;
}

TimeSpread spread_of(const std::vector<StepTimes>& steps) {
  const StepTimes least = fastest(steps);
  double all = 0;
  for (const Part& part : kParts) all += least.*part.seconds;
  TimeSpread widest;
  for (const Part& part : kParts)
    for (const StepTimes& step : steps)
      if (const double best = least.*part.seconds; best > 0.1 * all && step.*part.seconds > widest.times * best)
        widest = {part.name, step.*part.seconds / best};
  return widest;
}

std::string note_on(const TimeSpread& spread) {
  if (spread.times < kFarApart) return "";
  return fmt::format(
      "the machine is busy: {} took {:.1f} times as long in one step as in another, and the fastest may "
      "still be too slow",
      spread.part, spread.times);
}

double at_depth(long depth, long low, double at_low, long high, double at_high) {
  const auto ratio = [](long a, long b) { return static_cast<double>(a) / static_cast<double>(b); };
  const double by_ratio = std::min(at_low * ratio(depth, low), at_high * ratio(depth, high));
  const double each = (at_high - at_low) / static_cast<double>(high - low);
  const bool credible = each > 0 && at_high <= at_low * ratio(high, low);
  return std::max(at_low, credible ? at_low + each * static_cast<double>(depth - low) : by_ratio);
}

long trained_count(ViT& model) {
  long count = 0;
  for (const Parameter& p : parameters_of(model)) count += p.var.value().numel();
  return count;
}

StepNeeds state_of(const Recipe& recipe, long parameters, long trained) {
  const auto floats = [](long count) { return static_cast<double>(count) * sizeof(float); };
  return {.parameters = parameters,
          .trained = trained,
          .shards = recipe.shards,
          .weights = floats(parameters),
          .gradients = static_cast<double>(recipe.shards) * floats(trained),
          .moments = 2 * floats(trained),
          .averages = recipe.model_ema_decay > 0 ? floats(trained) : 0};
}

long images_to_measure(const Recipe& recipe) {
  if (device_of(recipe) == Device::cpu) return recipe.shards;
  constexpr long kMost = 32;  // of a shard
  return std::clamp(recipe.batch_size / recipe.shards / 2, 1L, kMost) * recipe.shards;
}

StepNeeds measure_needs(const Recipe& recipe, const ViTConfig& model, const std::function<void(long, long)>& told) {
  model.validate();
  const bool scaled = model.depth > kHigh && can_have_depth(model, kLow) && can_have_depth(model, kHigh);
  const long low = scaled ? kLow : model.depth, high = scaled ? kHigh : model.depth;
  Recipe own = recipe;
  own.batch_size = 2 * images_to_measure(recipe);
  const Tensor many = random_images(model, own.batch_size, 1), few = many.rows(0, own.batch_size / 2).clone();
  std::deque<Shallow> models;  // which stay where they are
  long done = 0;
  const auto step_done = [&] { told(++done, (scaled ? 2 : 1) * (3 + 2 * kTimed)); };
  for (const long depth : scaled ? std::vector{low, high} : std::vector{low}) {
    Shallow& next = models.emplace_back(own, model, depth);
    next.warm_up(few), step_done();
    next.add_bytes(few, next.few), step_done();
    next.add_bytes(many, next.many), step_done();
  }
  Profile profile(device_of(recipe));
  for (long i = 0; i < kTimed; ++i)
    for (Shallow& each : models) {
      each.add_step(few, profile, each.few), step_done();
      each.add_step(many, profile, each.many), step_done();
    }
  const Shallow &shallow = models.front(), &deeper = models.back();
  // Bytes and parameters are exact; times are not.
  const auto at_model = [&](double at_low, double at_high) {
    const auto blocks = static_cast<double>(model.depth - low);
    return scaled ? at_low + (at_high - at_low) / static_cast<double>(high - low) * blocks : at_low;
  };
  const auto count = [&](long Shallow::*field) {
    return std::lround(at_model(static_cast<double>(shallow.*field), static_cast<double>(deeper.*field)));
  };
  StepNeeds needs = state_of(recipe, count(&Shallow::parameters), count(&Shallow::trained));
  const double once = at_model(shallow.few.bytes, deeper.few.bytes),
               twice = at_model(shallow.many.bytes, deeper.many.bytes);
  const auto images = static_cast<double>(few.shape()[0]);
  needs.image = (twice - once) / images;
  needs.workspace = std::max(0.0, once - needs.image * images - needs.state());
  // Threads have more to do with several images than with one: where there is but one, it says how long it takes.
  const bool one = recipe.batch_size < own.batch_size;
  const auto times_of = [&](const Shallow& at) { return fastest((one ? at.few : at.many).times); };
  const StepTimes least = times_of(shallow), most = times_of(deeper);
  const auto each = [&](double StepTimes::*part) {
    return at_depth(model.depth, low, least.*part, high, most.*part) / (one ? images : 2 * images);
  };
  needs.products = each(&StepTimes::products), needs.attention = each(&StepTimes::attention);
  needs.others = each(&StepTimes::others);
  // As long as the trained parameters are many, whatever the images.
  needs.update = std::min(fastest(deeper.few.times).update, fastest(deeper.many.times).update) *
                 static_cast<double>(needs.trained) / static_cast<double>(std::max(deeper.trained, 1L));
  for (const Shallow& each : models)
    if (const TimeSpread spread = spread_of(each.many.times); spread.times > needs.spread.times) needs.spread = spread;
  return needs;
}

}  // namespace lookhere
