// A run that is killed, again and again, at moments that nobody chose: its checkpoint always loads, and in the end it
// has the same bytes as a run that was left alone.
#include <chrono>
#include <thread>

#include "tests/program.h"
#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

using Clock = std::chrono::steady_clock;

// As much time goes into evaluation as into training.
Words longer_training(const std::string& folder) {
  Words command = tiny_training(folder, "8");
  *(std::ranges::find(command, "--shapes-test") + 1) = "500";
  return command +
         Words{"--recovery-interval", "3", "--model-ema-decay", "0.9", "--drop-path", "0.1", "--eval-batch-size", "16"};
}

// The command that begins a run, or goes on with it once there is a checkpoint.
Words next_command(const std::string& folder) {
  if (!std::filesystem::exists(folder + "/last.safetensors")) return longer_training(folder);
  return {"train", "--resume", folder};
}

void expect_sound_checkpoint(const std::string& folder) {
  if (!std::filesystem::exists(folder + "/last.safetensors")) return;  // killed before the first
  const Safetensors file(folder + "/last.safetensors");
  ViT model = load_model(file);
  AdamW optimizer(parameters_of(model), optimizer_options(recipe_of(file)));
  restore(file, model, optimizer);
  const TrainingState at = training_state_of(file);
  for (const auto& [name, size] : {std::pair{"/summary.csv", at.summary_bytes}, {"/metrics.jsonl", at.metrics_bytes}})
    EXPECT_GE(std::filesystem::file_size(folder + name), static_cast<std::uintmax_t>(size)) << name;
}

// All of an epoch's updates are saved, its evaluation is not.
bool waits_for_evaluation(const std::string& folder) {
  if (!std::filesystem::exists(folder + "/last.safetensors")) return false;
  return training_state_of(Safetensors(folder + "/last.safetensors")).images_in_epoch == 256;
}

long temporary_files(const std::string& folder) {
  long count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    count += entry.path().string().find(".tmp-") != std::string::npos;
  return count;
}

// How often: 50 times, or as $LOOKHERE_KILLS says.
long wanted_kills() {
  const char* wanted = std::getenv("LOOKHERE_KILLS");
  return wanted ? std::atol(wanted) : 50;
}

// Or not at all where the program has ended by itself before.
void kill_after(double seconds, const Program& program) {
  const auto moment = Clock::now() + std::chrono::duration<double>(seconds);
  while (program.running() && Clock::now() < moment) std::this_thread::sleep_for(std::chrono::microseconds(200));
  program.send(SIGKILL);
}

TEST(TrainKill, ManyTimesAtRandomMoments) {
  const TemporaryFolder folder;
  const auto begin = Clock::now();
  ASSERT_EQ(run_program(longer_training(folder / "whole")).code, 0);
  const double whole = std::chrono::duration<double>(Clock::now() - begin).count();

  Rng rng(20, Purpose::test);
  long kills = 0, runs = 0, left_over = 0, with_checkpoint = 0, evaluating = 0;
  const long wanted = wanted_kills();
  for (long starts = 0; kills < wanted; ++runs) {
    const std::string run = folder / ("killed-" + std::to_string(runs));
    for (bool finished = false; !finished;) {
      ASSERT_LT(starts++, 10 * wanted) << kills << " kills: nearly all of them came when the program was gone";
      Program program(next_command(run));
      // Once there have been enough kills the last run is left to end.
      if (kills < wanted) kill_after(rng.uniform(0, whole / 2), program);
      const Finished end = program.wait();
      ASSERT_TRUE(end.signal == SIGKILL || end.code == 0) << end.err;
      finished = end.code == 0;
      if (finished) break;
      ++kills;
      if (!std::filesystem::exists(run)) continue;
      with_checkpoint += std::filesystem::exists(run + "/last.safetensors");
      evaluating += waits_for_evaluation(run);
      left_over += temporary_files(run);
      EXPECT_LE(temporary_files(run), 1) << "leftovers pile up";
      expect_sound_checkpoint(run);
      if (HasFailure()) return;
    }
    expect_same_run(folder / "whole", run);
    EXPECT_TRUE(read_file(folder / "whole/curve.svg") == read_file(run + "/curve.svg"));
    EXPECT_EQ(temporary_files(run), 0);
    if (HasFailure()) return;
  }
  // The test is worth something only if most kills came while there was something to lose.
  EXPECT_GE(with_checkpoint, wanted / 2) << "of " << kills << " kills, with a whole run of " << whole << " s";
  RecordProperty("runs", static_cast<int>(runs));
  RecordProperty("killed_while_saving", static_cast<int>(left_over));
  RecordProperty("killed_before_or_in_an_evaluation", static_cast<int>(evaluating));
  EXPECT_GE(evaluating, wanted / 10);
}

}  // namespace
}  // namespace lookhere
