// lookhere plan: memory and time of a training step by part, for one device and for many.
#include "vit/train/plan.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "tensor/machine.h"
#include "vit/cli/commands.h"
#include "vit/model/json.h"
#include "vit/show/console.h"
#include "vit/show/progress.h"
#include "vit/train/synthetic_step.h"

namespace lookhere {
namespace {

constexpr double kGiga = 1e9, kWorthwhile = 0.8;

class Plan : public RecipeCommand {
 public:
  Plan() { recipe.model = "vit_base", recipe.model_ema_decay = 0; }
  Page page() const override {
    return {.name = "plan",
            .summary = "Memory and time that training will take, by part, on one device and on many",
            .examples =
                "  lookhere plan --model vit_base --batch-size 1024 --devices 8\n"
                "  lookhere plan --model vit_small --img-size 512 -b 32 --dtype bf16 --memory 16\n"
                "  lookhere plan -c runs/photos/config.toml --images 1281167 --devices 1024 --network 25"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--devices", .help = "as many as this share the batch, at most", .range = {1, 1 << 20}}, devices);
    o.add({.names = "--speed", .help = "of each, by that of this machine", .range = {1e-6, 1e9}}, speed);
    o.add({.names = "--network", .help = "of each, in GB/s", .range = {1e-6, 1e6}}, network);
    o.add({.names = "--memory", .help = "of each, in GB (0: this machine's)", .range = {0, 1e9}}, memory);
    o.add({.names = "--images",
           .help = "of the training set, for the time of the recipe's epochs (0: none)",
           .range = {.low = 0}},
          images);
    o.add({.names = "--classes", .help = "classes to tell apart (0: the model's)", .range = {.low = 0}}, classes);
    o.add({.names = "--json", .help = "one JSON object instead of tables"}, json);
    add_beginnings(o);
    add_fields(o, recipe,
               {kPositionGroup, "Model", "batch-size", "epochs", "drop", "drop-path", "bce-loss", "model-ema-decay",
                "shards", "dtype", "device", "tf32", "seed"});
  }
  void run() const override;

 private:
  void print_tables(const StepNeeds& needs, const std::vector<Team>& teams, double each, double program) const;
  void print_json(const StepNeeds& needs, const std::vector<Team>& teams, double each, double program) const;
  double training_hours(const Team& team) const;

  long devices = 1, images = 0, classes = 0;
  double speed = 1, network = 1.25, memory = 0;
  bool json = false;
};

double Plan::training_hours(const Team& team) const {
  const double steps = std::ceil(static_cast<double>(images) / static_cast<double>(recipe.batch_size));
  return team.seconds() * steps * static_cast<double>(recipe.epochs) / 3600;
}

void print_memory(const std::string& title, const std::vector<MemoryPart>& parts) {
  print("{:<34} {:>10}\n", title, "GB");
  const auto row = [](const std::string& name, long bytes) {
    print("{:<34} {:>10.3f}\n", name, static_cast<double>(bytes) / kGiga);
  };
  for (const MemoryPart& part : parts) row(part.name, part.bytes);
  row("all", sum_of(parts));
}

void Plan::print_tables(const StepNeeds& needs, const std::vector<Team>& teams, double each, double program) const {
  const Team &alone = teams.front(), &last = teams.back();
  print("{}, {} parameters, {}, batch {}, {} shards\n\n", recipe.model, needs.parameters, recipe.dtype,
        recipe.batch_size, needs.shards);
  print_memory("memory of one device", memory_parts(needs, alone, program));
  print("{:.3g} GB hold {} images at a time\n\n", each / kGiga,
        std::max(0.0, std::floor((each - program - needs.bytes(0)) / needs.image)));
  if (last.devices > 1) {
    print_memory(fmt::format("memory of each of {} devices", last.devices), memory_parts(needs, last, program));
    print("\n");
  }
  print("{:<34} {:>10}\n", "time of a step on one device", "s");
  for (const auto& [name, seconds] :
       std::initializer_list<std::pair<const char*, double>>{{"matrix products", needs.products * alone.images},
                                                             {"attention", needs.attention * alone.images},
                                                             {"all other operations", needs.others * alone.images},
                                                             {"sum over shards and AdamW", needs.update}})
    print("{:<34} {:>10.4g}\n", name, seconds / speed);
  print("{:<34} {:>10.4g}\n\n", "all", alone.seconds());
  print("{:>7} {:>8} {:>9} {:>10} {:>10} {:>10} {:>7}{}\n", "devices", "images", "GB", "step s", "reducing s",
        "images/s", "use", images ? "      hours" : "");
  for (const Team& team : teams) {
    const long bytes = sum_of(memory_parts(needs, team, program));
    const double use = alone.seconds() / static_cast<double>(team.devices) / team.seconds();
    print("{:>7} {:>8} {:>9.3f} {:>10.4g} {:>10.4g} {:>10.4g} {:>5.0f} %{}{}\n", team.devices, team.images,
          static_cast<double>(bytes) / kGiga, team.seconds(), team.reducing,
          static_cast<double>(recipe.batch_size) / team.seconds(), 100 * use,
          images ? fmt::format(" {:>10.4g}", training_hours(team)) : "",
          static_cast<double>(bytes) > each ? "  too large"
          : use < kWorthwhile               ? "  not worth it"
                                            : "");
  }
}

void Plan::print_json(const StepNeeds& needs, const std::vector<Team>& teams, double each, double program) const {
  nlohmann::ordered_json all{{"parameters", needs.parameters},
                             {"shards", needs.shards},
                             {"memory_bytes", std::llround(each)},
                             {"image_bytes", std::llround(needs.image)},
                             {"products_seconds_per_image", needs.products},
                             {"attention_seconds_per_image", needs.attention},
                             {"others_seconds_per_image", needs.others},
                             {"update_seconds", needs.update}};
  all["teams"] = nlohmann::ordered_json::array();
  for (const Team& team : teams) {
    const std::vector<MemoryPart> parts = memory_parts(needs, team, program);
    auto bytes_by_part = nlohmann::ordered_json::object();
    for (const MemoryPart& part : parts) bytes_by_part[part.key] = part.bytes;
    all["teams"].push_back({{"devices", team.devices},
                            {"images", std::llround(team.images)},
                            {"shards", team.shards},
                            {"bytes", sum_of(parts)},
                            {"parts", std::move(bytes_by_part)},
                            {"seconds", team.seconds()},
                            {"reducing_seconds", team.reducing}});
    if (images) all["teams"].back()["hours"] = training_hours(team);
  }
  print("{}\n", to_text(all, 1));
}

void Plan::run() const {
  Recipe valid = recipe;
  valid.validate();
  valid.cuda_graph = false;
  use_device(valid.device, valid.tf32);
  valid.shards = shards_of(valid);
  announce();
  const ViTConfig model = model_without_data(valid, classes);
  std::optional<Progress> progress;
  const StepNeeds needs = measure_needs(valid, model, [&](long done, long of) {
    if (!progress) progress.emplace("measuring", of);
    progress->update(done);
  });
  progress->finish_quietly();
  const double program = bytes_beside_tensors(device_of(valid));
  if (const std::string note = note_on(needs.spread); !note.empty()) say("note: {}\n", note);
  std::vector<Team> teams;
  for (long count = 1;; count *= 2) {
    count = std::min({count, devices, valid.batch_size});
    // --shards are those of the run; where nobody has said how many, each device has as many as this one.
    const long shards = recipe.shards > 0 ? recipe.shards : needs.shards * count;
    teams.push_back(team_of(needs, valid.batch_size, count, shards, speed, network * kGiga));
    if (count == std::min(devices, valid.batch_size)) break;
  }
  const double each = memory > 0 ? memory * kGiga : static_cast<double>(memory_of(device_of(valid)));
  json ? print_json(needs, teams, each, program) : print_tables(needs, teams, each, program);
}

}  // namespace

std::unique_ptr<Command> make_plan() { return std::make_unique<Plan>(); }

}  // namespace lookhere
