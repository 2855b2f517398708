// The loop. Everything random is a function of (seed, counts), so stopping and going on changes no bit.
#include "vit/train/loop.h"

#include <cmath>
#include <filesystem>

#include "tensor/file.h"

namespace lookhere {
namespace {

constexpr long kSkipsThatEndARun = 10;

// The first tensor of the model that is not finite, if any.
std::string first_bad_tensor(ViT& model) {
  std::string name;
  for_each_parameter(model, [&](const std::string& parameter, const Var& p) {
    const float* values = p.value().data<float>();
    const bool finite = std::all_of(values, values + p.value().numel(), [](float v) { return std::isfinite(v); });
    if (!finite && name.empty()) name = parameter;
  });
  return name;
}

// A process that was killed while it saved leaves its temporary file. The logs' locks say that no other is at work.
void remove_leftovers(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().filename().string().find(".tmp-") != std::string::npos)
      std::filesystem::remove(entry.path(), ignored);
}

// The number of shards is settled once, at the start of a run: a resumed one keeps it on any machine.
Recipe validated(Recipe recipe) {
  recipe.validate();
  if (recipe.shards == 0) recipe.shards = std::min<long>(thread_count(), recipe.batch_size);
  return recipe;
}

}  // namespace

Trainer::Trainer(Recipe recipe, const std::string& folder, const std::string& resume)
    : recipe_(validated(std::move(recipe))),
      folder_(folder),
      train_(load_dataset(recipe_.data, true, dataset_options(recipe_))),
      test_(load_dataset(recipe_.data, false, dataset_options(recipe_))),
      model_(model_config(recipe_, train_), static_cast<std::uint64_t>(recipe_.seed)),
      sharded_(model_, recipe_.shards),
      loader_(train_, training_loader(recipe_, model_.config())),
      test_loader_(test_, evaluation_loader(recipe_, model_.config())),
      optimizer_(parameters_of(model_), optimizer_options(recipe_)) {
  check(steps_per_epoch() >= 1, "train: ", train_.size(), " images make no update of ", recipe_.grad_accum_steps, " x ",
        recipe_.batch_size, " images: use a smaller --batch-size");
  schedule_ = schedule_of(recipe_, steps_per_epoch());
  std::error_code error;
  if (resume.empty()) {
    check(!std::filesystem::exists(file("last.safetensors"), error), folder_,
          " holds a run already: go on with --resume ", folder_, " or choose another --output");
    std::filesystem::create_directories(folder_, error);
    check_system(error, "create", folder_);
  } else {
    const Safetensors checkpoint(resume);
    at_ = progression_of(checkpoint);
    restore(checkpoint, model_, optimizer_);
    check(at_.step_in_epoch <= steps_per_epoch(), resume, ": stands at update ", at_.step_in_epoch,
          " of its epoch, which the options end after ", steps_per_epoch());
  }
  summary_ = std::make_unique<AppendFile>(file("summary.csv"), at_.summary_bytes);
  metrics_ = std::make_unique<AppendFile>(file("metrics.jsonl"), at_.metrics_bytes);
  remove_leftovers(folder_);
  write_atomically(file("config.toml"), [&](FileWriter& out) { out.write(to_toml(recipe_)); });
  if (summary_->size() == 0) summary_->write(kSummaryHeader);
  save();
}

// Weights that are not finite never recover: the checkpoint before them is worth more.
void Trainer::require_finite_weights() {
  if (const std::string bad = first_bad_tensor(model_); !bad.empty()) diverged(concat(bad, " is not finite"));
}

void Trainer::save() {
  require_finite_weights();
  summary_->sync(), metrics_->sync();
  at_.summary_bytes = summary_->size(), at_.metrics_bytes = metrics_->size();
  save_checkpoint(file("last.safetensors"), model_, optimizer_, recipe_, at_, class_names_metadata(train_.class_names));
}

Trainer::Outcome Trainer::run(TrainObserver& observer, const std::function<bool()>& should_stop, long max_steps) {
  const long first = at_.step;
  const auto stop = [&] { return (should_stop && should_stop()) || (max_steps > 0 && at_.step - first >= max_steps); };
  bool stopped = false;
  while (at_.epoch < recipe_.epochs && !stopped) {
    train_epoch(observer, [&] { return stopped = stop(); });
    if (at_.step_in_epoch >= steps_per_epoch()) finish_epoch(observer);
    save();
  }
  return at_.epoch < recipe_.epochs ? Outcome::stopped : Outcome::finished;
}

void Trainer::train_epoch(TrainObserver& observer, const std::function<bool()>& stop_after_step) {
  loader_.start(at_.epoch, at_.step_in_epoch * recipe_.grad_accum_steps);
  while (at_.step_in_epoch < steps_per_epoch() && train_step(observer)) {
    if (stop_after_step()) return;
    if (recipe_.recovery_interval && at_.step % recipe_.recovery_interval == 0) save();
  }
}

bool Trainer::train_step(TrainObserver& observer) {
  const auto accumulate = static_cast<double>(recipe_.grad_accum_steps);
  const ShardedModel::Loss loss_of = [&](const Var& logits, const Tensor& labels) {
    return recipe_.bce_loss ? binary_cross_entropy(logits, labels, recipe_.smoothing)
                            : softmax_cross_entropy(logits, labels, recipe_.smoothing);
  };
  Batch batch;
  double loss = 0;
  long images = 0;
  for (long micro = 0; micro < recipe_.grad_accum_steps; ++micro) {
    if (!loader_.next(batch)) return false;
    const Pass pass{.drop_path = recipe_.drop_path,
                    .dropout = recipe_.drop,
                    .seed = static_cast<std::uint64_t>(recipe_.seed),
                    .step = static_cast<std::uint32_t>(at_.step * recipe_.grad_accum_steps + micro),
                    .dtype = dtype_of(recipe_)};
    loss += sharded_.accumulate_gradients(batch.images, batch.labels, pass, 1 / accumulate, loss_of) / accumulate;
    images += batch.labels.numel();
  }
  const double lr = schedule_.at(at_.step);
  AdamW::Report report;
  if (std::isfinite(loss)) {
    report = optimizer_.step(lr);
  } else {
    optimizer_.clear_gradients();
    report.gradient_norm = loss;
    report.bad_tensor = first_bad_tensor(model_);
    if (report.bad_tensor.empty()) report.bad_tensor = "the loss";
  }
  const bool skipped = !report.bad_tensor.empty();
  ++at_.step, ++at_.step_in_epoch;
  at_.updates = optimizer_.updates();
  at_.skipped += skipped;
  at_.skipped_in_a_row = skipped ? at_.skipped_in_a_row + 1 : 0;
  if (!skipped) at_.epoch_loss += loss, ++at_.epoch_losses;
  metrics_->write(to_json_line({.step = at_.step,
                                .epoch = at_.epoch,
                                .loss = loss,
                                .lr = lr,
                                .gradient_norm = report.gradient_norm,
                                .skipped = skipped}));
  observer.on_step({.step = at_.step,
                    .total_steps = total_steps(),
                    .epoch = at_.epoch,
                    .images = images,
                    .loss = loss,
                    .lr = lr,
                    .skipped = skipped,
                    .bad_tensor = report.bad_tensor});
  if (at_.skipped_in_a_row >= kSkipsThatEndARun)
    diverged(concat(kSkipsThatEndARun, " updates in a row were not finite, first in ", report.bad_tensor));
  return true;
}

void Trainer::diverged(const std::string& what) const {
  throw Error(concat("training diverged: ", what, " (step ", at_.step, "); the last checkpoint is ",
                     file("last.safetensors"), "; a lower --lr or a longer --warmup-epochs may help"),
              Exit::diverged);
}

void Trainer::finish_epoch(TrainObserver& observer) {
  require_finite_weights();
  EpochRow row{.epoch = at_.epoch,
               .train_loss = at_.epoch_losses ? at_.epoch_loss / static_cast<double>(at_.epoch_losses) : NAN,
               .lr = schedule_.at(at_.step - 1)};
  const auto evaluate_and_keep_best = [&] {
    const Accuracy accuracy = evaluate(model_, test_loader_,
                                       {.progress = [&](long done) { observer.on_evaluation(done, test_.size()); },
                                        .stop = {},
                                        .note = [&](const std::string& line) { observer.on_note(line); }});
    row.eval_loss = accuracy.loss, row.eval_top1 = accuracy.top1, row.eval_top5 = accuracy.top5;
    if (accuracy.top1 <= at_.best_top1) return;
    at_.best_top1 = accuracy.top1, at_.best_epoch = at_.epoch;
    save_model(file("best.safetensors"), model_, class_names_metadata(train_.class_names));
  };
  if (optimizer_.has_ema()) {
    const AdamW::UseEma averaged(optimizer_);
    evaluate_and_keep_best();
  } else {
    evaluate_and_keep_best();
  }
  summary_->write(to_csv(row));
  observer.on_epoch(row, at_.best_epoch == at_.epoch);
  ++at_.epoch;
  at_.step_in_epoch = 0, at_.epoch_loss = 0, at_.epoch_losses = 0;
}

}  // namespace lookhere
