// The training loop: epochs of updates, an evaluation and a checkpoint after each.
#pragma once
#include <memory>
#include <string>

#include "tensor/system/append_file.h"
#include "vit/eval/accuracy.h"
#include "vit/train/checkpoint.h"
#include "vit/train/events.h"
#include "vit/train/log.h"
#include "vit/train/run_folder.h"
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
  // Batch `part` of update `step`, both from 1, before its gradient is taken.
  virtual void on_batch(long /*step*/, long /*part*/, const Batch&) {}
  virtual void on_step(const Step&) {}
  virtual void on_evaluation(long /*images*/, long /*total*/) {}
  virtual void on_epoch(const EpochRow&, bool /*best so far*/) {}
  virtual void on_note(const std::string& /*line*/) {}  // what the user should know
};

class Trainer {
 public:
  // Starts a run in a folder or, if `resume` names a checkpoint, goes on with it there. Throws Error if a new run would
  // overwrite anything, and if a resumed one would not go on as it began: other data, other model, an edited
  // config.toml, another seed in the middle of an epoch.
  //
  // With a team all ranks begin alike, each does its shards of every batch, and the first one alone writes, logs and
  // has anything to observe. Throws Error if a rank has other data, weights, options or processor than the first.
  // `begin`, if any, is told how large the run is before anything is written and before there is more of it in memory
  // than data and weights, and may throw.
  struct Beginning {
    const Recipe& recipe;  // settled
    ViT& model;
    long updates;  // to come
    long test_images;
    double batch_bytes;  // of batches that wait for training or evaluation, on the device
  };
  using OnBeginning = std::function<void(const Beginning&)>;
  Trainer(Recipe recipe, RunFolder folder, const std::string& resume = "", Communicator& team = alone(),
          const OnBeginning& begin = {});

  enum class Outcome { finished, stopped };
  // Runs until the last epoch, until `should_stop` says so on any rank (asked after each update and while evaluating),
  // or for at most max_steps updates (0: no limit). What an epoch has learned is saved before it is evaluated. While
  // updates are skipped the checkpoint before them stays. Throws Error (Exit::diverged) after ten updates in a row were
  // not finite.
  Outcome run(TrainObserver& observer, const std::function<bool()>& should_stop = {}, long max_steps = 0);

  ViT& model() { return model_; }
  const TrainingState& state() const { return at_; }
  long steps_per_epoch() const { return train_.size() / images_per_step(); }
  long total_steps() const;                        // updates made and to come
  long saved_step() const { return saved_step_; }  // where the checkpoint stands
  const Dataset& training_data() const { return train_; }
  const Dataset& test_data() const { return test_; }
  const std::string& folder() const { return folder_.path(); }
  std::string file(const std::string& name) const { return folder_.file(name); }
  // What a new run has begun with and, where one goes on, what is not as it was when it stopped, a line each.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  bool writes() const { return team_.rank() == 0; }
  LoaderOptions training_batches() const;
  LoaderOptions test_batches() const;
  // The model, once all ranks agree that the run can be; nothing of the size of its parameters has been made.
  ViT& agreed(const std::string& resume, const OnBeginning& begin);
  void require_same_beginning();
  void require_same_run(const Safetensors& checkpoint, const Recipe& saved) const;
  void go_on(const Safetensors& checkpoint);
  void note_changes(const Recipe& saved);
  void begin_files(bool new_run);
  void save_first();  // without the summary where that fails
  std::unique_ptr<AppendFile> open_log(const char* name, long& bytes);
  void train_epoch(TrainObserver& observer, const std::function<bool()>& stop_after_step);
  // One update; false at the end of the epoch's batches.
  bool train_step(TrainObserver& observer);
  // Adds the gradients of the latest batch, one of those that make an update, and returns its part of the mean losses.
  ShardedModel::Losses add_gradients_of_batch(long micro);
  // Evaluates, keeps the best, logs, saves and reports; false if it was stopped.
  bool finish_epoch(TrainObserver& observer, const std::function<bool()>& should_stop);
  void save();
  bool can_be_gone_on_from();
  void require_finite_weights();
  [[noreturn]] void diverged(const std::string& what) const;

  long images_per_step() const { return recipe_.batch_size * recipe_.grad_accum_steps; }
  bool epoch_is_over() const { return train_.size() - at_.images_in_epoch < images_per_step(); }
  double position() const;  // updates since the beginning, had all of them been of this size

  Communicator& team_;
  Recipe recipe_;
  RunFolder folder_;
  std::vector<std::string> notes_;
  std::unique_ptr<const Safetensors> origin_;  // while the run is made
  Dataset train_, test_;
  ViT model_;
  TrainingState at_;
  ShardedModel sharded_;
  Loader loader_, test_loader_;
  AdamW optimizer_;
  Schedule schedule_;
  Batch batch_;  // the latest
  long saved_step_ = 0;
  std::unique_ptr<AppendFile> summary_, metrics_;  // none where another rank writes
  std::unique_ptr<EventFile> events_;              // with --tensorboard
  bool log_cross_entropy_ = true;                  // false where version 0.1 began the summary
};

}  // namespace lookhere
