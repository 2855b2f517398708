// Nothing here remembers what was done: it is read from what the runs' folders hold.
#include "vit/compare/folder.h"

#include <filesystem>
#include <optional>

#include "tensor/file.h"
#include "tensor/text.h"
#include "vit/compare/results.h"
#include "vit/model/weights.h"
#include "vit/train/log.h"
#include "vit/train/resume.h"

namespace lookhere {
namespace {

bool file_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace

Comparison comparison_in(const std::string& folder) {
  const std::string path = folder + "/" + kComparisonFile;
  return comparison_from_json(std::string(MappedFile(path).text()), path);
}

ComparisonFolder::ComparisonFolder(std::string path, Comparison asked)
    : path_(std::move(path)), comparison_(std::move(asked)) {
  comparison_.validate();
  Comparison& c = comparison_;
  if (file_exists(file(kComparisonFile))) require_same_recipe();
  c.recipe.shards = shards_of(c.recipe);
  runs_ = runs_of(c);
  std::optional<ViTConfig> begun;
  if (!c.recipe.initial_checkpoint.empty()) begun = config_of(Safetensors(c.recipe.initial_checkpoint));
  const Dataset train = load_training_data(c.recipe);
  const Dataset test = load_test_set(c.recipe.data, train, dataset_options(c.recipe));
  images_ = {.train = train.size(), .test = test.size(), .held_out = load_held_out(c.recipe).size()};
  if (c.test_images > 0) images_.test = std::min(images_.test, c.test_images);
  for (const ComparedRun& run : runs_) models_.push_back(model_config(run.recipe, train, begun));
  if (c.sizes.empty()) c.sizes = usual_sizes(models_[0].height, models_[0].patch);
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const ViTConfig& model = models_[i];
    check(model.height == model.width, runs_[i].variant, ": wanted square images, got ", model.height, "x",
          model.width);
    for (const long size : c.sizes)
      check(size % model.patch == 0, "--sizes: wanted multiples of the patch size ", model.patch, " of ",
            runs_[i].variant, ", got ", size);
  }
  judging_ = {.sizes = c.sizes,
              .epsilon = c.epsilon,
              .held_out = images_.held_out > 0,
              .masks = static_cast<bool>(test.masks),
              .groups = {c.metrics.begin(), c.metrics.end()}};
  make_folders(path_);
  write_atomically(file(kComparisonFile), [&](FileWriter& out) { out.write(to_json(c)); });
}

void ComparisonFolder::require_same_recipe() {
  const Recipe saved = comparison_in(path_).recipe;
  if (comparison_.recipe.shards == 0) comparison_.recipe.shards = saved.shards;
  const std::vector<std::string> changes = changed_options(saved, comparison_.recipe);
  check(changes.empty(), path_, ": holds a comparison with another recipe (", joined(changes),
        "): choose another --output");
}

bool ComparisonFolder::has_weights(const ComparedRun& run) const {
  return file_exists(file(run.folder + "/last.safetensors"));
}

double ComparisonFolder::training_work(const ComparedRun& run) const {
  return kTrainingPass * static_cast<double>(run.recipe.epochs) * static_cast<double>(images_.train);
}

double ComparisonFolder::work() const {
  double work = 0;
  for (std::size_t i = 0; i < runs_.size(); ++i)
    work += training_work(runs_[i]) +
            measuring_work(judging_, models_[i], images_, measurements_of(comparison_, runs_[i], path_)).all;
  return work;
}

double ComparisonFolder::work_done() const {
  double done = 0;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    done += training_work(runs_[i]) *
            static_cast<double>(read_summary_so_far(file(runs_[i].folder + "/summary.csv")).size()) /
            static_cast<double>(runs_[i].recipe.epochs);
    done += measuring_work(judging_, models_[i], images_, measurements_of(comparison_, runs_[i], path_)).done;
  }
  return done;
}

bool ComparisonFolder::is_measured(std::size_t run) const {
  const MeasuringWork work =
      measuring_work(judging_, models_[run], images_, measurements_of(comparison_, runs_[run], path_));
  return work.left == 0;
}

bool ComparisonFolder::carry_out(const ComparisonWatch& watch) const {
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (is_measured(i)) continue;
    const ComparedRun& run = runs_[i];
    const std::string name = std::filesystem::path(run.folder).filename().string();
    ComparisonWatch of_run = watch;
    of_run.advance = [&](double work, const std::string& detail) { watch.advance(work, concat(name, "  ", detail)); };
    if (lookhere::carry_out(comparison_, run, path_, judging_, of_run) == RunState::stopped) return false;
    write_results();
  }
  write_results();
  return true;
}

void ComparisonFolder::write_results() const {
  const std::string csv = to_csv(results_of(comparison_, path_));
  write_atomically(file("results.csv"), [&](FileWriter& out) { out.write(csv); });
}

}  // namespace lookhere
