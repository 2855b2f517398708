// The loop. Everything random is a function of (seed, counts), so stopping and going on changes no bit.
#include "vit/train/loop.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "nn/nccl.h"
#include "tensor/file.h"
#include "tensor/finite.h"
#include "tensor/machine.h"
#include "tensor/out_of_memory.h"
#include "vit/model/preprocessing.h"
#include "vit/train/agreement.h"
#include "vit/train/fine_tune.h"
#include "vit/train/plan.h"
#include "vit/train/resume.h"

namespace lookhere {
namespace {

constexpr long kSkipsThatEndARun = 10;

// The first tensor of the model that is not finite, if any.
std::string first_bad_tensor(ViT& model) {
  std::string name;
  for_each_parameter(model, [&](const std::string& parameter, const Var& p) {
    if (name.empty() && first_not_finite(p.value()) >= 0) name = parameter;
  });
  return name;
}

// The number of shards is settled once, at the start of a run: a resumed one keeps it on any machine.
Recipe validated(Recipe recipe, Communicator& team) {
  recipe.validate();
  use_device(recipe.device, recipe.tf32);
  recipe.shards = agreed_shards(recipe, team);
  check(team.size() <= recipe.shards, "--shards ", recipe.shards, ": too few for ", team.size(),
        " ranks, each of which needs one");
  check(team.alone() || recipe.shards <= recipe.batch_size, "--shards ", recipe.shards, ": too many for --batch-size ",
        recipe.batch_size, " and several ranks");
  return recipe;
}

RunFolder claimed(RunFolder folder, bool new_run) {
  if (new_run) folder.require_free();
  return folder;
}

DeviceSum device_sum_of(const Recipe& recipe, Communicator& team) {
  if (team.alone() || recipe.deterministic_reduce || device_of(recipe) != Device::cuda) return {};
  return sum_by_nccl(team);
}

LoaderOptions part_of(const Communicator& team, ShardRange shards, long shards_in_all, LoaderOptions options) {
  if (!team.alone()) options.shards = shards, options.shards_in_all = shards_in_all;
  return options;
}

}  // namespace

Trainer::Trainer(Recipe recipe, RunFolder folder, const std::string& resume, Communicator& team,
                 const OnBeginning& begin)
    : team_(team),
      recipe_(validated(std::move(recipe), team)),
      folder_(claimed(std::move(folder), resume.empty() && team.rank() == 0)),
      origin_(open_origin(recipe_, resume)),
      train_(load_training_data(recipe_, origin_.get())),
      test_(load_test_set(recipe_.data, train_, dataset_options(recipe_))),
      model_(begin_model(recipe_, train_, origin_.get(), resume.empty(), notes_)),
      sharded_(agreed(resume, begin), recipe_.shards, recipe_.cuda_graph, team, device_sum_of(recipe_, team)),
      loader_(train_, training_batches()),
      test_loader_(test_, test_batches()),
      optimizer_(trained_parameters(model_, recipe_.layer_decay), optimizer_options(recipe_)) {
  schedule_ = schedule_of(recipe_, steps_per_epoch());
  if (!resume.empty()) go_on(Safetensors(resume));
  require_same_weights(model_, at_.step, team_);
  begin_files(resume.empty());
  save();
}

// Nothing is written or removed before the summary's lock is held, since NFS has none for the folder. Of a new run it
// is empty until there is a checkpoint: whoever finds one of the other files without that knows that no run has written
// it.
void Trainer::begin_files(bool new_run) {
  if (writes())
    summary_ = new_run ? std::make_unique<AppendFile>(AppendFile::fresh(file("summary.csv")))
                       : open_log("summary.csv", at_.summary_bytes);
  if (new_run) save_first();
  if (!writes()) return;
  folder_.remove_leftovers();
  metrics_ = open_log("metrics.jsonl", at_.metrics_bytes);
  if (summary_->size() == 0) summary_->write(kSummaryHeader);
  if (recipe_.tensorboard) events_ = std::make_unique<EventFile>(folder_, at_.step);
  log_cross_entropy_ = has_cross_entropy(file("summary.csv"));
  write_atomically(file("config.toml"), [&](FileWriter& out) { out.write(to_toml(recipe_)); });
}

void Trainer::save_first() {
  try {
    save();
  } catch (...) {
    std::error_code ignored;
    if (writes()) std::filesystem::remove(file("summary.csv"), ignored);
    throw;
  }
}

LoaderOptions Trainer::training_batches() const {
  return part_of(team_, shard_range(recipe_.shards, team_.rank(), team_.size()), recipe_.shards,
                 training_loader(recipe_, model_.config(), train_));
}

LoaderOptions Trainer::test_batches() const {
  return part_of(team_, {team_.rank(), team_.rank() + 1}, team_.size(), evaluation_loader(recipe_, model_.config()));
}

ViT& Trainer::agreed(const std::string& resume, const OnBeginning& begin) {
  check(steps_per_epoch() >= 1, "train: ", train_.size(), " images make no update of ", recipe_.grad_accum_steps, " x ",
        recipe_.batch_size, " images: use a smaller --batch-size");
  origin_.reset();
  if (!resume.empty()) {
    const Safetensors checkpoint(resume);
    at_ = training_state_of(checkpoint);
    require_same_run(checkpoint, recipe_of(checkpoint));
  }
  require_same_beginning();
  if (begin)
    begin({.recipe = recipe_,
           .model = model_,
           .updates = total_steps() - at_.step,
           .test_images = test_.size(),
           .batch_bytes = bytes_of_batches(train_, training_batches()) + bytes_of_batches(test_, test_batches())});
  team_.meet();  // the first rank may refuse, after measuring: until then nobody takes memory
  return model_;
}

// Before anything is written.
void Trainer::require_same_beginning() {
  if (team_.alone()) return;
  team_.require_same(arithmetic_of_cpu(), "kind of processor, kernels or BLAS");
  require_same_options(recipe_, team_);
  team_.require_same(train_.hash(), "training data");
  team_.require_same(test_.hash(), "test data");
}

void Trainer::require_same_run(const Safetensors& checkpoint, const Recipe& saved) const {
  require_same_data(checkpoint, train_, test_);
  check(recipe_.freeze || !saved.freeze, "--no-freeze: this run trains the head alone; begin another with ",
        "--initial-checkpoint ", checkpoint.path());
  check(at_.images_in_epoch <= train_.size(), checkpoint.path(), ": stands at image ", at_.images_in_epoch,
        " of its epoch, which has ", train_.size());
  check(at_.images_in_epoch == 0 || saved.seed == recipe_.seed, "--seed ", recipe_.seed, ": the run stands at image ",
        at_.images_in_epoch, " of an epoch in the order of seed ", saved.seed, ", and would repeat and skip images");
  check(at_.images_in_epoch == 0 || saved.aug_repeats == recipe_.aug_repeats, "--aug-repeats ", recipe_.aug_repeats,
        ": the run stands at image ", at_.images_in_epoch, " of an epoch with ", saved.aug_repeats);
}

void Trainer::go_on(const Safetensors& checkpoint) {
  const Recipe saved = recipe_of(checkpoint);
  restore(checkpoint, model_, optimizer_);
  require_own_files(folder_, saved, recipe_, model_.config());  // options that want another model are told by then
  note_changes(saved);
}

void Trainer::note_changes(const Recipe& saved) {
  for (const std::string& line : changed_options(saved, recipe_)) notes_.push_back(line);
  const long images = saved.batch_size * saved.grad_accum_steps;
  const auto steps = static_cast<double>(train_.size() / images);
  const double before = schedule_of(saved, train_.size() / images)
                            .at(static_cast<double>(at_.epoch) * steps +
                                static_cast<double>(at_.images_in_epoch) / static_cast<double>(images)),
               now = schedule_.at(position());
  if (std::abs(now - before) > 1e-6 * before)
    notes_.push_back(fmt::format("the learning rate goes on at {:.3g} instead of {:.3g}", now, before));
  if (at_.best_epoch >= 0 && !folder_.has("best.safetensors")) {
    notes_.push_back(concat(file("best.safetensors"), " is missing: the best epoch is chosen among those to come"));
    at_.best_epoch = -1, at_.best_top1 = -1;
  }
}

std::unique_ptr<AppendFile> Trainer::open_log(const char* name, long& bytes) {
  if (bytes > 0 && !folder_.has(name)) {
    notes_.push_back(concat(file(name), " is missing: it begins anew"));
    bytes = 0;
  }
  return std::make_unique<AppendFile>(file(name), bytes);
}

double Trainer::position() const {
  return static_cast<double>(at_.epoch) * static_cast<double>(steps_per_epoch()) +
         static_cast<double>(at_.images_in_epoch) / static_cast<double>(images_per_step());
}

long Trainer::total_steps() const {
  return at_.step + std::lround(static_cast<double>(recipe_.epochs * steps_per_epoch()) - position());
}

// Weights that are not finite never recover: the checkpoint before them is worth more.
void Trainer::require_finite_weights() {
  if (const std::string bad = first_bad_tensor(model_); !bad.empty()) diverged(concat(bad, " is not finite"));
}

// The weights may be finite and yet too large for the next update to be: the gradient of the latest batch tells.
bool Trainer::can_be_gone_on_from() {
  if (!batch_.images.defined() || saved_step_ == at_.step) return true;  // nothing new since the last checkpoint
  const bool finite = std::isfinite(add_gradients_of_batch(0).trained) && optimizer_.has_finite_gradients();
  optimizer_.clear_gradients();
  return finite;
}

void Trainer::save() {
  if (at_.skipped_in_a_row > 0) return;
  require_finite_weights();
  if (!can_be_gone_on_from()) return;
  if (summary_) summary_->sync(), at_.summary_bytes = summary_->size();
  if (metrics_) metrics_->sync(), at_.metrics_bytes = metrics_->size();
  if (writes()) {
    Metadata more = description_of(train_);
    more.merge(data_hashes(train_, test_));
    save_checkpoint(file("last.safetensors"), model_, optimizer_, recipe_, at_, more);
  }
  team_.meet();  // whoever does not write waits, however slow the disk is
  saved_step_ = at_.step;
}

Trainer::Outcome Trainer::run(TrainObserver& observer, const std::function<bool()>& should_stop, long max_steps) {
  const long first = at_.step;
  const auto asked_to_stop = [&] { return team_.any(should_stop && should_stop()); };
  const auto all_made = [&] { return max_steps > 0 && at_.step - first >= max_steps; };
  bool stopped = false;
  while (at_.epoch < recipe_.epochs && !stopped && !asked_to_stop()) {
    train_epoch(observer, [&] { return stopped = asked_to_stop() || all_made(); });
    share_skipped(train_, team_);
    save();
    if (epoch_is_over() && !finish_epoch(observer, asked_to_stop)) stopped = true;
  }
  return at_.epoch < recipe_.epochs ? Outcome::stopped : Outcome::finished;
}

void Trainer::train_epoch(TrainObserver& observer, const std::function<bool()>& stop_after_step) {
  loader_.start(at_.epoch, at_.images_in_epoch);
  while (!epoch_is_over() && train_step(observer)) {
    if (stop_after_step()) return;
    if (recipe_.recovery_interval && at_.step % recipe_.recovery_interval == 0) share_skipped(train_, team_), save();
  }
}

ShardedModel::Losses Trainer::add_gradients_of_batch(long micro) {
  const ShardedModel::Loss loss_of = [&](const Var& logits, const Tensor& labels) {
    if (labels.dtype() != Dtype::i64)  // of mixed images, smoothed already
      return recipe_.bce_loss ? binary_cross_entropy_soft(logits, labels) : softmax_cross_entropy_soft(logits, labels);
    return recipe_.bce_loss ? binary_cross_entropy(logits, labels, recipe_.smoothing)
                            : softmax_cross_entropy(logits, labels, recipe_.smoothing);
  };
  const Pass pass{.drop_path = recipe_.drop_path,
                  .dropout = recipe_.drop,
                  .seed = static_cast<std::uint64_t>(recipe_.seed),
                  .step = static_cast<std::uint32_t>(at_.step * recipe_.grad_accum_steps + micro),
                  .dtype = dtype_of(recipe_)};
  const auto accumulate = static_cast<double>(recipe_.grad_accum_steps);
  try {
    const Tensor& wanted = batch_.targets.defined() ? batch_.targets : batch_.labels;
    const auto mean = sharded_.accumulate_gradients(batch_.images, wanted, pass, 1 / accumulate, loss_of);
    return {mean.trained / accumulate, mean.cross_entropy / accumulate};
  } catch (OutOfMemory& error) {
    error.advise("; this is for an update: lower --batch-size, and raise --grad-accum-steps to make up for it");
    throw;
  }
}

bool Trainer::train_step(TrainObserver& observer) {
  long images = 0;
  double loss = 0, cross_entropy = 0;
  for (long micro = 0; micro < recipe_.grad_accum_steps && loader_.next(batch_); ++micro) {
    observer.on_batch(at_.step + 1, micro + 1, batch_);
    const ShardedModel::Losses part = add_gradients_of_batch(micro);
    loss += part.trained, cross_entropy += part.cross_entropy;
    images += batch_.labels.numel();
  }
  if (images < images_per_step()) return false;
  const double lr = schedule_.at(position());
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
  ++at_.step, at_.images_in_epoch += images;
  at_.updates = optimizer_.updates();
  at_.skipped += skipped;
  at_.skipped_in_a_row = skipped ? at_.skipped_in_a_row + 1 : 0;
  if (!skipped) at_.epoch_loss += loss, ++at_.epoch_losses;
  if (!skipped && std::isfinite(cross_entropy)) at_.epoch_cross_entropy += cross_entropy, ++at_.epoch_cross_entropies;
  const StepRow row{.step = at_.step,
                    .epoch = at_.epoch,
                    .loss = loss,
                    .lr = lr,
                    .gradient_norm = report.gradient_norm,
                    .cross_entropy = cross_entropy,
                    .skipped = skipped};
  if (metrics_ && (skipped || at_.step % recipe_.log_interval == 0)) {
    metrics_->write(to_json_line(row));
    if (events_) events_->write(row);
  }
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
  throw Error(
      concat("training diverged: ", what, " (step ", at_.step, "); the last checkpoint is that of step ", saved_step_,
             ", ", file("last.safetensors"), "; a lower --lr or a longer --warmup-epochs may help"),
      Exit::diverged);
}

bool Trainer::finish_epoch(TrainObserver& observer, const std::function<bool()>& should_stop) {
  require_finite_weights();
  require_same_weights(model_, at_.step, team_);
  if (at_.epoch_losses == 0) diverged(concat("no update of epoch ", at_.epoch + 1, " was finite"));
  const auto mean = [](double sum, long count) { return count ? sum / static_cast<double>(count) : NAN; };
  EpochRow row{.epoch = at_.epoch,
               .train_loss = mean(at_.epoch_loss, at_.epoch_losses),
               .lr = schedule_.at(position() - 1),
               .train_cross_entropy = mean(at_.epoch_cross_entropy, at_.epoch_cross_entropies)};
  const auto evaluate_and_keep_best = [&] {
    const Accuracy accuracy = evaluate(model_, test_loader_,
                                       {.progress = [&](long done) { observer.on_evaluation(done, test_.size()); },
                                        .stop = should_stop,
                                        .note = [&](const std::string& line) { observer.on_note(line); },
                                        .team = &team_});
    row.eval_loss = accuracy.loss, row.eval_top1 = accuracy.top1, row.eval_top5 = accuracy.top5;
    share_skipped(test_, team_);
    if (accuracy.stopped) return false;
    if (accuracy.top1 <= at_.best_top1) return true;
    at_.best_top1 = accuracy.top1, at_.best_epoch = at_.epoch;
    if (writes()) {
      Metadata more = description_of(train_);
      more.merge(judging_metadata(recipe_));
      save_model(file("best.safetensors"), model_, more);
    }
    return true;
  };
  {
    const auto averaged = optimizer_.has_ema() ? std::make_unique<AdamW::UseEma>(optimizer_) : nullptr;
    if (!evaluate_and_keep_best()) return false;
  }
  if (summary_) summary_->write(to_csv(row, log_cross_entropy_));
  if (events_) events_->write(row, at_.step);
  if (events_ && batch_.images.defined())
    events_->write(batch_.images, {.mean = train_.mean, .std = train_.std}, at_.step);
  const bool best = at_.best_epoch == at_.epoch;
  ++at_.epoch;
  at_.images_in_epoch = 0;
  at_.epoch_loss = at_.epoch_cross_entropy = 0;
  at_.epoch_losses = at_.epoch_cross_entropies = 0;
  save();
  observer.on_epoch(row, best);
  for (const std::string& note : {train_.skipped("training"), test_.skipped("test")})
    if (!note.empty()) observer.on_note(note);
  return true;
}

}  // namespace lookhere
