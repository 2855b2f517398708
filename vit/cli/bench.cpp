// lookhere bench: how long a training step, a forward pass or the loading of images takes, where, in how much memory.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "autograd/profile.h"
#include "kernels/simd/isa.h"
#include "tensor/file.h"
#include "tensor/machine.h"
#include "tensor/pool.h"
#include "tensor/system/memory_limits.h"
#include "vit/cli/bench_data.h"
#include "vit/cli/commands.h"
#include "vit/eval/accuracy.h"
#include "vit/model/json.h"
#include "vit/show/console.h"
#include "vit/show/progress.h"
#include "vit/train/synthetic_step.h"

namespace lookhere {
namespace {

constexpr double kSeconds = 8;
constexpr long kLeastSteps = 3;

class Bench : public RecipeCommand {
 public:
  Bench() { recipe.model = "vit_small", recipe.batch_size = 8, recipe.model_ema_decay = 0; }
  Page page() const override {
    return {.name = "bench",
            .summary =
                "Time of a training step or a forward pass by operation, and its memory; or what loading images costs",
            .examples =
                "  lookhere bench step --model vit_small --batch-size 8 --position lh180\n"
                "  lookhere bench forward --model vit_base --img-size 1024 --position lh45 -b 1\n"
                "  lookhere bench data --data photos --img-size 64 --recipe small-data --workers 2"};
  }
  void add_options(Options& o) override {
    o.add(
        {.names = "what",
         .help =
             "step (forward, loss, backward, AdamW), forward (as in evaluation), or data (images loaded for training)",
         .required = true},
        what);
    o.add({.names = "--steps", .help = "how many to time (0: as many as fit eight seconds)", .range = {.low = 0}},
          steps);
    o.add({.names = "--classes", .help = "classes to tell apart (0: the model's)", .range = {.low = 0}}, classes);
    o.add({.names = "--json", .help = "write the numbers to this file as well", .file = File::written}, json);
    add_beginnings(o);
    add_fields(o, recipe,
               {kPositionGroup, "Model", "Data", "Augmentation", "workers", "batch-size", "drop", "drop-path",
                "bce-loss", "model-ema-decay", "shards", "dtype", "device", "tf32", "cuda-graph", "seed"});
  }
  void run() const override;

  std::string what;  // step, forward or data
  std::string json;
  long classes = 0, steps = 0;  // 0: the model's, as many as fit eight seconds

 private:
  void finish(const nlohmann::ordered_json& result) const;
};

struct Measured {
  std::vector<double> seconds;  // sorted
  std::vector<Profile::Entry> operations;
  double median() const { return seconds[seconds.size() / 2]; }
  double mean() const {
    return std::accumulate(seconds.begin(), seconds.end(), 0.0) / static_cast<double>(seconds.size());
  }
};

// `warm_ups` times without looking, then `steps` times.
Measured measure(const std::string& label, Device device, long warm_ups, long steps,
                 const std::function<void()>& launch) {
  const auto step = [&] { launch(), synchronise(device); };
  Progress progress(label, steps);
  progress.update(0, "warm-up");
  for (long i = 0; i < warm_ups; ++i) step();
  Measured result;
  const Profile profile(device);
  const auto begin = profile::Clock::now();
  const auto done = [&] {
    const auto count = static_cast<long>(result.seconds.size());
    const double used = profile::since(begin);
    return steps ? count >= steps : count >= kLeastSteps && used + used / static_cast<double>(count) > kSeconds;
  };
  while (!done()) {
    const auto before = profile::Clock::now();
    step();
    result.seconds.push_back(profile::since(before));
    progress.update(static_cast<long>(result.seconds.size()), fmt::format("{:.3g} s", result.seconds.back()));
  }
  progress.finish_quietly();
  // Per step.
  const auto count = static_cast<double>(result.seconds.size());
  result.operations = profile.entries();
  for (Profile::Entry& entry : result.operations)
    entry.calls /= static_cast<long>(count), entry.forward /= count, entry.backward /= count;
  std::ranges::sort(result.seconds);
  return result;
}

std::string machine_of(const Recipe& recipe) {
  if (device_of(recipe) == Device::cuda) return describe_gpu();
  return fmt::format("{} threads, {}", thread_count(), kernels::name_of(kernels::isa()));
}

nlohmann::ordered_json to_json(const Bench& c, const ViTConfig& config, const Measured& m) {
  nlohmann::ordered_json json{{"bench", c.what},
                              {"model", c.recipe.model},
                              {"position", c.recipe.position},
                              {"dtype", c.recipe.dtype},
                              {"batch_size", c.recipe.batch_size},
                              {"img_size", {config.height, config.width}},
                              {"tokens", config.grid().patches() + 1},
                              {"dim", config.dim},
                              {"depth", config.depth},
                              {"heads", config.heads},
                              {"device", c.recipe.device},
                              {"machine", machine_of(c.recipe)},
                              {"threads", thread_count()},
                              {"isa", kernels::name_of(kernels::isa())},
                              {"steps", m.seconds.size()},
                              {"seconds", m.median()},
                              {"seconds_min", m.seconds.front()},
                              {"seconds_mean", m.mean()},
                              {"images_per_second", static_cast<double>(c.recipe.batch_size) / m.median()},
                              {"peak_pool_bytes", Pool::of(device_of(c.recipe)).stats().peak},
                              {"peak_rss_bytes", peak_resident_memory()}};
  json["operations"] = nlohmann::ordered_json::array();
  for (const Profile::Entry& entry : m.operations)
    json["operations"].push_back({{"op", entry.op},
                                  {"calls", entry.calls},
                                  {"forward_seconds", entry.forward},
                                  {"backward_seconds", entry.backward}});
  return json;
}

void print_report(const nlohmann::ordered_json& json) {
  const auto number = [&](const char* name) { return json[name].get<double>(); };
  const auto text = [&](const char* name) { return json[name].get<std::string>(); };
  print("{:<8}  {} {}, {}, batch {}, {}x{} px, {} tokens\n", text("bench"), text("model"), text("position"),
        text("dtype"), json["batch_size"].get<long>(), json["img_size"][0].get<long>(), json["img_size"][1].get<long>(),
        json["tokens"].get<long>());
  print("machine   {}\n", text("machine"));
  print("time      {:.4g} s, the median of {}; {:.4g} s at best\n", number("seconds"), json["steps"].get<long>(),
        number("seconds_min"));
  print("speed     {:.4g} images/s\n", number("images_per_second"));
  print("memory    {:.0f} MB in tensors, {:.0f} MB in all\n\n", number("peak_pool_bytes") / 1e6,
        number("peak_rss_bytes") / 1e6);
  print("{:<22} {:>6} {:>12} {:>12} {:>8}\n", "operation", "calls", "forward ms", "backward ms", "share");
  const double all = number("seconds_mean");  // as the operations' times are means
  double rest = all;
  const auto row = [&](const std::string& name, long calls, double forward, double backward) {
    print("{:<22} {:>6} {:>12.2f} {:>12.2f} {:>6.1f} %\n", name, calls, 1e3 * forward, 1e3 * backward,
          100 * (forward + backward) / all);
    rest -= forward + backward;
  };
  for (const auto& entry : json["operations"])
    row(entry["op"], entry["calls"], entry["forward_seconds"], entry["backward_seconds"]);
  row("waiting and the rest", 0, rest, 0);
}

void Bench::run() const {
  check(what == "step" || what == "forward" || what == "data", "bench: wanted step, forward or data, got '", what, "'");
  Recipe valid = recipe;
  valid.validate();
  if (what == "data") {
    announce();
    return finish(bench_data(valid));
  }
  const Device on = use_device(valid.device, valid.tf32);
  valid.shards = shards_of(valid);
  announce();
  ViT model(model_without_data(recipe, classes), static_cast<std::uint64_t>(valid.seed), Dtype::f32, on);
  const ViTConfig& config = model.config();
  // On the device: a run copies a batch there beside the update before.
  const Tensor images = random_images(config, valid.batch_size, static_cast<std::uint64_t>(valid.seed)).to(on);
  Measured measured;
  if (what == "step") {
    SyntheticStep step(model, valid);
    const long warm_ups = valid.cuda_graph ? 2 : 1;  // a graph is captured the second time
    measured = measure("bench step", on, warm_ups, steps, [&] { step(images); });
  } else {
    measured = measure("bench forward", on, 1, steps, [&] { logits_of(model, images, dtype_of(valid)); });
  }
  const nlohmann::ordered_json result = to_json(*this, config, measured);
  print_report(result);
  finish(result);
}

void Bench::finish(const nlohmann::ordered_json& result) const {
  if (!json.empty()) write_atomically(json, [&](FileWriter& out) { out.write(to_text(result, 1) + "\n"); });
}

}  // namespace

std::unique_ptr<Command> make_bench() { return std::make_unique<Bench>(); }

}  // namespace lookhere
