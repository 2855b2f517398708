// A killed run goes on from its checkpoint: no bit of it depends on where it was killed.
#include "vit/compare/run.h"

#include <fmt/format.h>

#include <optional>

#include "tensor/text.h"
#include "vit/model/weights.h"
#include "vit/train/foresee.h"
#include "vit/train/resume.h"

namespace lookhere {
namespace {

class RunObserver : public TrainObserver {
 public:
  RunObserver(const ComparisonWatch& watch, long epochs, double work) : watch_(watch), epochs_(epochs), work_(work) {}
  void on_step(const Step& s) override {
    watch_.advance(work_ * static_cast<double>(s.images), fmt::format("epoch {}/{}", s.epoch + 1, epochs_));
  }
  void on_evaluation(long, long) override { watch_.advance(0, "its epoch's evaluation"); }
  void on_note(const std::string& line) override { watch_.note(line); }

 private:
  const ComparisonWatch& watch_;
  long epochs_;
  double work_;
};

// The recipe as the checkpoint has it. The number of shards is settled where a run begins.
Recipe as_begun(Recipe recipe, const Recipe& saved, const std::string& folder) {
  if (recipe.shards == 0) recipe.shards = saved.shards;
  const std::vector<std::string> changes = changed_options(saved, recipe);
  check(changes.empty(), folder, ": holds a run with another recipe (", joined(changes),
        "): choose another --output, or remove it");
  return recipe;
}

// work: of a pass over an image.
bool train(const ComparedRun& run, RunFolder folder, double work, const ComparisonWatch& watch) {
  const std::string checkpoint = folder.has("last.safetensors") ? folder.file("last.safetensors") : "";
  Recipe recipe = run.recipe;
  if (!checkpoint.empty()) {
    const Safetensors file(checkpoint);
    recipe = as_begun(recipe, recipe_of(file), folder.path());
    if (training_state_of(file).epoch >= recipe.epochs) return true;
  }
  const auto require_room = [&](const Trainer::Beginning& begun) {
    require_room_for_state(begun, 1, watch.memory);
    if (watch.memory.limit > 0)
      require_room_for_steps(begun, measure_step_of(begun, 1, [](long, long) {}), 1, watch.memory);
  };
  Trainer trainer(recipe, std::move(folder), checkpoint, alone(), require_room);
  RunObserver observer(watch, recipe.epochs, work);
  return trainer.run(observer, watch.stop) == Trainer::Outcome::finished;
}

RunState measure_run(const Comparison& comparison, const ComparedRun& run, const std::string& folder,
                     const Measuring& measuring, const ComparisonWatch& watch) {
  const std::string path = folder + "/" + run.folder;
  const std::optional<RunFolder> again = RunFolder::if_free(path);  // which training has given back
  if (!again) return RunState::elsewhere;
  Measurements have = measurements_of(comparison, run, folder);
  const std::string checkpoint = again->file("last.safetensors");
  std::optional<Subject> subject;
  const auto loaded = [&]() -> Subject& {
    if (!subject) subject.emplace(checkpoint, comparison.test_images);
    return *subject;
  };
  return measuring.run(loaded, have, watch) ? RunState::done : RunState::stopped;
}

}  // namespace

void require_recipe(const ComparedRun& run, const std::string& folder) {
  const std::string path = folder + "/" + run.folder;
  as_begun(run.recipe, recipe_of(Safetensors(path + "/last.safetensors")), path);
}

Measurements measurements_of(const Comparison& comparison, const ComparedRun& run, const std::string& folder) {
  // Which images are tested with, and which are held out to tune with: those are chosen by class.
  const bool all = comparison.test_images == 0 && comparison.recipe.holdout == 0;
  return {folder + "/" + run.folder + "/measurements.json",
          concat("test_images ", comparison.test_images, all ? "" : " by class")};
}

RunState carry_out(const Comparison& comparison, const ComparedRun& run, const std::string& folder,
                   const Measuring& measuring, const ComparisonWatch& watch) {
  const std::string path = folder + "/" + run.folder;
  std::optional<RunFolder> taken = RunFolder::if_free(path);
  if (!taken) return RunState::elsewhere;
  Measurements have = measurements_of(comparison, run, folder);
  if (have.find(kDiverged, 0)) return RunState::diverged;
  try {
    if (!train(run, std::move(*taken), measuring.training_pass(), watch)) return RunState::stopped;
    return measure_run(comparison, run, folder, measuring, watch);
  } catch (const Error& error) {
    if (error.code() != Exit::diverged) throw;
    watch.note(concat(run.folder, ": ", error.what()));
    have = measurements_of(comparison, run, folder);
    have.add({{kDiverged, 0, 1}});
    return RunState::diverged;
  }
}

}  // namespace lookhere
