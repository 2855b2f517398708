// The training loop: epochs of updates, an evaluation and a checkpoint after each.
#pragma once
#include <memory>
#include <string>

#include "vit/eval/accuracy.h"
#include "vit/train/checkpoint.h"
#include "vit/train/log.h"
#include "vit/train/shards.h"

namespace lookhere {

// What the loop tells whoever watches; the command line draws it.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  struct Step {
    long step, total_steps, epoch, images;  // images: of this update
    double loss, lr;
    bool skipped;
    std::string bad_tensor;  // why it was skipped
  };
  virtual void on_step(const Step&) {}
  virtual void on_evaluation(long /*images*/, long /*total*/) {}
  virtual void on_epoch(const EpochRow&, bool /*best so far*/) {}
  virtual void on_note(const std::string& /*line*/) {}  // what the user should know
};

class Trainer {
 public:
  // Starts a run in a folder (created) or, if `resume` names a checkpoint, goes on with it. Throws Error if a new run
  // would overwrite another.
  Trainer(Recipe recipe, const std::string& folder, const std::string& resume = "");

  enum class Outcome { finished, stopped };
  // Runs until the last epoch, until `should_stop` says so, or for at most max_steps updates (0: no limit); a
  // checkpoint is written in every case. Throws Error (Exit::diverged) after ten updates in a row were not finite.
  Outcome run(TrainObserver& observer, const std::function<bool()>& should_stop = {}, long max_steps = 0);

  ViT& model() { return model_; }
  const Progression& progression() const { return at_; }
  long steps_per_epoch() const { return loader_.batches() / recipe_.grad_accum_steps; }
  long total_steps() const { return recipe_.epochs * steps_per_epoch(); }
  const Dataset& training_data() const { return train_; }
  const Dataset& test_data() const { return test_; }
  std::string file(const std::string& name) const { return folder_ + "/" + name; }

 private:
  void train_epoch(TrainObserver& observer, const std::function<bool()>& stop_after_step);
  // One update; false at the end of the epoch's batches.
  bool train_step(TrainObserver& observer);
  void finish_epoch(TrainObserver& observer);
  void save();
  void require_finite_weights();
  [[noreturn]] void diverged(const std::string& what) const;

  Recipe recipe_;
  std::string folder_;
  Dataset train_, test_;
  ViT model_;
  ShardedModel sharded_;
  Loader loader_, test_loader_;
  AdamW optimizer_;
  Schedule schedule_;
  Progression at_;
  std::unique_ptr<AppendFile> summary_, metrics_;
};

}  // namespace lookhere
