// Nothing here remembers what was done: it is read from what the runs' folders hold.
#include "vit/compare/folder.h"

#include <filesystem>
#include <optional>
#include <set>

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
  const long asked_shards = c.recipe.shards;
  require_own();
  const bool is_new = !file_exists(file(kComparisonFile));
  if (!is_new) require_same_comparison();
  c.recipe.shards = shards_of(c.recipe);
  runs_ = runs_of(c);
  const auto [train, held_out] = load_training_split(c.recipe);
  const Dataset test = load_test_set(c.recipe.data, train, dataset_options(c.recipe));
  images_ = {.train = train.size(), .test = test.size(), .held_out = held_out.size()};
  if (c.test_images > 0) images_.test = std::min(images_.test, c.test_images);
  for (const ComparedRun& run : runs_) {
    const Recipe& r = run.recipe;
    check(r.batch_size * r.grad_accum_steps <= images_.train, run.variant, ": wanted updates of at most the ",
          images_.train, " training images, got ", r.batch_size * r.grad_accum_steps,
          " (--batch-size, --grad-accum-steps)");
    try {
      std::optional<ViTConfig> begun;
      if (!r.initial_checkpoint.empty()) begun = config_of(Safetensors(r.initial_checkpoint));
      models_.push_back(model_config(r, train, begun));
      models_.back().validate();
    } catch (const Error& error) {
      throw Error(concat("variant ", shown(run.variant), ": ", error.what()), error.code());
    }
  }
  if (c.sizes.empty()) c.sizes = usual_sizes(models_[0].height, models_[0].patch);
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const ViTConfig& model = models_[i];
    check(model.height == model.width, runs_[i].variant, ": wanted square images, got ", model.height, "x",
          model.width);
    for (const long size : c.sizes)
      check(size % model.patch == 0, "--sizes: wanted multiples of the patch size ", model.patch, " of ",
            runs_[i].variant, ", got ", size);
  }
  check_tuning(c.metrics, images_.held_out > 0);
  const Judging judging{.sizes = c.sizes,
                        .epsilon = c.epsilon,
                        .held_out = images_.held_out > 0,
                        .masks = static_cast<bool>(test.masks),
                        .groups = groups_of(c.metrics)};
  for (const ViTConfig& model : models_) measuring_.emplace_back(judging, model, images_);
  if (is_new && file_exists(file(kComparisonFile))) {  // another machine, with other threads, has begun it meanwhile
    c.recipe.shards = asked_shards;
    require_same_comparison();
    runs_ = runs_of(c);
  }
  make_folders(path_);
  write_atomically(file(kComparisonFile), [&](FileWriter& out) { out.write(to_json(c)); });
}

// compare.json is what a comparison writes first, so that another process may have written it meanwhile, or be at it.
void ComparisonFolder::require_own() const {
  std::set<std::string> others;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path_, error), end; !error && it != end; it.increment(error))
    if (std::string name = it->path().filename().string(); !name.starts_with('.') && !name.starts_with(kComparisonFile))
      others.insert(std::move(name));
  check(others.empty() || file_exists(file(kComparisonFile)), path_, " is no comparison's folder but holds ",
        others.empty() ? "" : printable(*others.begin()), ": choose another --output");
}

void ComparisonFolder::require_same_comparison() {
  const Comparison saved = comparison_in(path_);
  if (comparison_.recipe.shards == 0) comparison_.recipe.shards = saved.recipe.shards;
  const std::vector<std::string> changes = changed_options(saved.recipe, comparison_.recipe);
  check(changes.empty(), path_, ": holds a comparison with another recipe (", joined(changes),
        "): choose another --output");
  if (saved.test_images == comparison_.test_images) return;
  for (const ComparedRun& run : runs_of(saved))
    check(measurements_of(saved, run, path_).all().empty(), path_, ": holds numbers of --test-images ",
          saved.test_images, ", got --test-images ", comparison_.test_images, ": choose another --output");
}

bool ComparisonFolder::has_weights(const ComparedRun& run) const {
  return file_exists(file(run.folder + "/last.safetensors"));
}

double ComparisonFolder::training_work(std::size_t run) const {
  return measuring_[run].training_pass() * static_cast<double>(runs_[run].recipe.epochs * images_.train);
}

double ComparisonFolder::work() const {
  double work = 0;
  for (std::size_t i = 0; i < runs_.size(); ++i) work += training_work(i) + measuring_[i].work();
  return work;
}

double ComparisonFolder::work_done() const {
  double done = 0;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    done += training_work(i) * static_cast<double>(read_summary_so_far(file(runs_[i].folder + "/summary.csv")).size()) /
            static_cast<double>(runs_[i].recipe.epochs);
    done += measuring_[i].work_done(measurements_of(comparison_, runs_[i], path_));
  }
  return done;
}

bool ComparisonFolder::is_done(std::size_t run) const {
  const Measurements have = measurements_of(comparison_, runs_[run], path_);
  return have.find(kDiverged, 0) || measuring_[run].is_done(have);
}

bool ComparisonFolder::carry_out(const ComparisonWatch& watch) const {
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const ComparedRun& run = runs_[i];
    if (is_done(i)) {
      if (has_weights(run)) require_recipe(run, path_);
      continue;
    }
    const std::string name = std::filesystem::path(run.folder).filename().string();
    ComparisonWatch of_run = watch;
    of_run.advance = [&](double work, const std::string& detail) { watch.advance(work, concat(name, "  ", detail)); };
    if (lookhere::carry_out(comparison_, run, path_, measuring_[i], of_run) == RunState::stopped) return false;
    write_results();
  }
  write_results();
  return true;
}

void ComparisonFolder::require_measured() const {
  check(std::ranges::any_of(results_of(comparison_, path_), [](const RunResult& run) { return !run.values.empty(); }),
        path_, ": wanted runs that have been measured (", file(runs_[0].folder + "/measurements.json"),
        "), got none: results.csv and report.html stay as they are");
}

void ComparisonFolder::write_results() const {
  const std::string csv = to_csv(results_of(comparison_, path_));
  write_atomically(file("results.csv"), [&](FileWriter& out) { out.write(csv); });
}

}  // namespace lookhere
