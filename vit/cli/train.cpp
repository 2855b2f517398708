// The run, what is shown of it, and its folder.
#include "vit/cli/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>

#include "tensor/file.h"
#include "tensor/hash.h"
#include "tensor/machine.h"
#include "tensor/system/signals.h"
#include "tensor/text.h"
#include "tensor/thread_team.h"
#include "tensor/world.h"
#include "vit/cli/commands.h"
#include "vit/data/webdataset.h"
#include "vit/show/console.h"
#include "vit/show/progress.h"
#include "vit/show/training_curve.h"
#include "vit/train/agreement.h"
#include "vit/train/dump.h"
#include "vit/train/foresee.h"

namespace lookhere {
namespace {

class Watcher : public TrainObserver {
 public:
  Watcher(Trainer& trainer, BatchDump dump, long epochs, bool augmented)
      : trainer_(trainer),
        dump_(std::move(dump)),
        epochs_(epochs),
        augmented_(augmented),
        progress_("train", trainer.total_steps(), options(trainer)) {}

  void on_batch(long step, long part, const Batch& batch) override {
    dump_.write_batch(step, part, batch, trainer_.model());
  }
  void on_step(const Step& s) override {
    dump_.write_update(s.step, trainer_.model());
    const double now = clock_.now();
    // Images per second over the last steps; an evaluation in between is not counted.
    rate_ = rate_ == 0 ? 0 : 0.95 * rate_ + 0.05 * static_cast<double>(s.images) / (now - last_);
    if (rate_ == 0 && last_ > 0) rate_ = static_cast<double>(s.images) / (now - last_);
    last_ = now;
    if (!s.skipped) loss_ = loss_ == 0 ? s.loss : 0.95 * loss_ + 0.05 * s.loss;
    if (s.skipped) progress_.note(fmt::format("step {} skipped: {} is not finite", s.step, s.bad_tensor));
    progress_.update(s.step, fmt::format("epoch {}/{}  loss {:.4f}  lr {:.2e}  {:.0f} images/s", s.epoch + 1, epochs_,
                                         loss_, s.lr, rate_));
  }
  void on_evaluation(long images, long total) override {
    progress_.update(trainer_.state().step, fmt::format("evaluating {} of {} images", images, total));
    last_ = clock_.now();
  }
  void on_epoch(const EpochRow& row, bool best) override {
    // The one that compares with the test loss, where it was measured.
    const double loss = std::isfinite(row.train_cross_entropy) ? row.train_cross_entropy : row.train_loss;
    const std::string line =
        fmt::format("epoch {:>3}  train loss {:.4f}  test loss {:.4f}  top-1 {:6.2f} %  top-5 {:6.2f} %{}",
                    row.epoch + 1, loss, row.eval_loss, row.eval_top1, row.eval_top5, best ? "  best" : "");
    progress_.note(line);
    draw_curve();
  }
  void on_note(const std::string& line) override { progress_.note(line); }
  void finish(const std::string& summary) { progress_.finish(summary); }

  // A picture that cannot be drawn stops no run.
  void draw_curve() {
    try {
      const std::string svg = training_curve(read_summary(trainer_.file("summary.csv")), augmented_);
      write_atomically(trainer_.file("curve.svg"), [&](FileWriter& out) { out.write(svg); });
    } catch (const Error& error) {
      progress_.note(concat("no curve: ", error.what()));
    }
  }

 private:
  static ProgressOptions options(const Trainer& trainer) {
    ProgressOptions options = standard_error();
    options.start = trainer.state().step;
    return options;
  }
  Trainer& trainer_;
  BatchDump dump_;
  long epochs_;
  bool augmented_;
  Progress progress_;
  ProgressOptions clock_ = standard_error();
  double last_ = 0, rate_ = 0, loss_ = 0;
};

std::string default_folder(const Recipe& recipe) {
  const std::time_t now = std::time(nullptr);
  char stamp[32];
  const std::string data = title_of_dataset(recipe.data);
  std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", std::localtime(&now));
  if (!recipe.initial_checkpoint.empty()) return fmt::format("runs/{}-fine-tuned-{}", stamp, data);
  return fmt::format("runs/{}-{}-{}-{}", stamp, recipe.model, recipe.position, data);
}

// Of a run that stopped: was any rank asked to?
void end_if_interrupted(Communicator& team) {
  if (team.any(asked_to_stop())) throw Error("interrupted", Exit::interrupted);
}

}  // namespace

Command::Page TrainCommand::page() const {
  return {.name = "train",
          .summary =
              "Train a model; the run folder gets config.toml, summary.csv, metrics.jsonl, curve.svg, "
              "last.safetensors and best.safetensors",
          .examples =
              "  lookhere train --data fashion --output runs/fashion\n"
              "  lookhere train --data shapes --position lh45 --epochs 5\n"
              "  lookhere train --resume runs/fashion\n"
              "  lookhere train --device cuda --devices 0,1,2,3 --data photos --model vit_base -b 256\n"
              "  lookhere train -c runs/fashion/config.toml --lr 1e-3 --output runs/other"};
}

void TrainCommand::add_options(Options& o) {
  o.add({.names = "--output",
         .help = "run folder (default: runs/<time>-<model>-<position>-<data>)",
         .file = File::written},
        output);
  o.add({.names = "--resume",
         .help = "go on with this run folder or checkpoint; its options hold unless given again",
         .file = File::read},
        resume);
  o.add({.names = "--max-steps", .help = "save and stop after this many updates (0: no limit)", .range = {.low = 0}},
        max_steps);
  o.add({.names = "--mem-limit",
         .help =
             "refuse a run whose updates need more memory, in GB (0: this machine's, and only long runs are measured)",
         .range = {.low = 0}},
        mem_limit);
  o.add({.names = "--devices", .help = "GPUs of this machine that share each batch, as 0,1,2,3 (with --device cuda)"},
        devices);
  o.add({.names = "--dump-batches",
         .help = "write images, labels and weights of the first updates, for other programs to compare with",
         .range = {.low = 0}},
        dump_batches);
  o.add({.names = "--dump-dir", .help = "folder for these files (npy and safetensors)", .file = File::written},
        dump_dir);
  add_beginnings(o);
  add_fields(o, recipe);
}

void TrainCommand::read_run(const std::string& run) {
  checkpoint_ = checkpoint_path(run);
  const std::filesystem::path path(checkpoint_);
  const std::string folder = path.parent_path().string();
  if (world().rank() == 0) folder_ = std::make_shared<RunFolder>(RunFolder::existing(folder));
  const std::string last = (path.parent_path() / "last.safetensors").string();  // of a bare name: here
  check(path.filename() == "last.safetensors" || !std::filesystem::exists(last), "--resume ", run, ": ", last,
        " would be overwritten: resume that, or a copy in a folder of its own");
  recipe = recipe_of(Safetensors(checkpoint_));
}

RunFolder TrainCommand::take_folder(const Communicator& team) const {
  if (team.rank() > 0)
    return RunFolder::of_first_rank(checkpoint_.empty() ? output
                                                        : std::filesystem::path(checkpoint_).parent_path().string());
  if (!folder_) require_no_class(output.empty() ? default_folder(recipe) : output, recipe.data);
  if (!folder_) return output.empty() ? RunFolder::fresh(default_folder(recipe)) : RunFolder(output);
  std::error_code ignored;
  check(output.empty() || std::filesystem::equivalent(output, folder_->path(), ignored), "--output ", output,
        ": a resumed run goes on in its own folder, ", folder_->path(),
        "; to branch off, copy that folder and resume the copy");
  return std::move(*folder_);
}

// A long run says what it will take. What does not fit is refused here and not by the kernel, hours later.
void TrainCommand::foresee(const Trainer::Beginning& run, const Communicator& team) const {
  constexpr double kGiga = 1e9, kLong = 2e14;  // operations: some minutes on the fastest machines, hours on others
  const MemoryBudget budget{.limit = mem_limit * kGiga, .processes = ranks_on_machine()};
  require_room_for_state(run, team.size(), budget);
  const long updates = max_steps ? std::min(max_steps, run.updates) : run.updates;
  if (mem_limit == 0 && operations_of_run(run.recipe, run.model.config(), run.model.parameter_count(), updates) < kLong)
    return;
  std::optional<Progress> progress;
  const StepNeeds step = measure_step_of(run, team.size(), [&](long done, long of) {
    if (!progress) progress.emplace("measuring", of);
    progress->update(done);
  });
  progress->finish_quietly();
  if (const std::string note = note_on(step.spread); !note.empty()) say("note: {}\n", note);
  const double bytes = require_room_for_steps(run, step, team.size(), budget);
  const double seconds = needs_of_run(step, run.recipe, team.size(), updates, run.test_images).seconds;
  say("{} updates and {} evaluations: about {:.2g} hours, {:.2g} GB{}\n", updates, run.recipe.epochs, seconds / 3600,
      bytes / kGiga, team.alone() ? "" : " on each rank");
}

// The part of a rank that neither writes nor says anything.
void TrainCommand::follow(Communicator& team) const {
  Trainer trainer(with_absolute_data(recipe), take_folder(team), checkpoint_, team);
  note_stop_signals();
  TrainObserver nobody;
  if (trainer.run(nobody, asked_to_stop, max_steps) == Trainer::Outcome::stopped) end_if_interrupted(team);
}

// Empty: whatever --device says.
std::vector<int> TrainCommand::chosen_gpus() const {
  std::vector<int> gpus;
  if (devices.empty()) return gpus;
  check(device_of(recipe) == Device::cuda, "--devices: wanted --device cuda beside it");
  check(world().alone(), "--devices: wanted one process, and mpirun has started ", world().size(), " with a GPU each");
  for (const double number : devices) {
    const int last = kernels::cuda::count() - 1;
    check(0 <= number && number <= last && number == std::floor(number), "--devices: wanted GPUs from 0 to ", last,
          ", got ", number);
    const auto gpu = static_cast<int>(number);
    check(std::ranges::find(gpus, gpu) == gpus.end(), "--devices: GPU ", gpu, " is there twice");
    gpus.push_back(gpu);
  }
  return gpus;
}

void TrainCommand::run() const {
  if (!world().alone()) {
    const MappedFile program("/proc/self/exe");  // builds of one version may differ
    world().require_same(concat(kVersion, ' ', hash_of(program.data(), program.size())), "bytes of the program");
  }
  recipe.validate();  // before any line about it
  const std::vector<int> gpus = chosen_gpus();
  if (gpus.empty()) {
    if (device_of(recipe) == Device::cuda)
      kernels::cuda::use(gpu_of_rank(std::getenv("CUDA_VISIBLE_DEVICES"), kernels::cuda::count(), rank_on_machine(),
                                     ranks_on_machine()));
    return train_in(world());
  }
  const int threads = std::max(1, thread_count() / static_cast<int>(gpus.size()));
  ThreadTeam(std::ssize(gpus)).run([&](Communicator& team) {
    kernels::cuda::use(gpus[team.rank()]);
    set_thread_count(threads);
    train_in(team);
  });
}

void TrainCommand::train_in(Communicator& team) const {
  check(team.alone() || dump_batches == 0, "--dump-batches: wanted one rank, got ", team.size());
  lead_or_follow(
      team, [&] { lead(team); }, [&] { follow(team); });
}

void TrainCommand::lead(Communicator& team) const {
  announce();
  if (!team.alone()) say("{} ranks, of which this is the first\n", team.size());
  if (const std::string line = note_of_start(); !line.empty()) say("note: {}\n", line);
  for (const std::string& line : recipe.notes(team.size())) say("note: {}\n", line);
  BatchDump dump(dump_dir, dump_batches);
  Trainer trainer(with_absolute_data(recipe), take_folder(team), checkpoint_, team,
                  [&](const Trainer::Beginning& begun) { foresee(begun, team); });
  for (const std::string& line : trainer.notes()) say("note: {}\n", line);
  const ViTConfig& config = trainer.model().config();
  const std::string path = trainer.folder();
  say("{} training and {} test images of {}; {} parameters, {}x{} patches, {} heads; run folder {}\n",
      trainer.training_data().size(), trainer.test_data().size(), recipe.data, trainer.model().parameter_count(),
      config.grid().y, config.grid().x, config.heads, path);
  note_stop_signals();
  const LoaderOptions seen = training_loader(recipe, config, trainer.training_data());
  Watcher watcher(trainer, std::move(dump), recipe.epochs, seen.augment || seen.crop_padding > 0 || seen.hflip > 0);
  const auto outcome = trainer.run(watcher, asked_to_stop, max_steps);
  watcher.draw_curve();
  const TrainingState& at = trainer.state();
  const bool all_saved = trainer.saved_step() == at.step;
  if (!all_saved)
    say("note: the last updates were not finite: the checkpoint is that of step {}\n", trainer.saved_step());
  if (outcome == Trainer::Outcome::stopped) {
    watcher.finish(fmt::format("stopped after step {} of {}", at.step, trainer.total_steps()));
    say("{}go on with: lookhere train --resume {}\n", all_saved ? "saved; " : "", shell_word(path));
    return end_if_interrupted(team);
  }
  if (at.best_epoch < 0) return watcher.finish("no epoch was evaluated");
  watcher.finish(fmt::format("best top-1 {:.2f} % after epoch {}", at.best_top1, at.best_epoch + 1));
  print("top1 {:.2f}\nbest {}\ncurve {}\n", at.best_top1, trainer.file("best.safetensors"), trainer.file("curve.svg"));
}

std::unique_ptr<Command> make_train() { return std::make_unique<TrainCommand>(); }

}  // namespace lookhere
