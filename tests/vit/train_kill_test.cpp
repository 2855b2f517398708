// A run that is killed, again and again, at moments that nobody chose: its checkpoint always loads, and in the end it
// has the same bytes as a run that was left alone.
#include <chrono>
#include <thread>

#include "tests/vit/program.h"
#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

using Clock = std::chrono::steady_clock;

Words longer_training(const std::string& folder) {
  return tiny_training(folder, "8") +
         Words{"--recovery-interval", "3", "--model-ema-decay", "0.9", "--drop-path", "0.1"};
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
  const Progression at = progression_of(file);
  for (const auto& [name, size] : {std::pair{"/summary.csv", at.summary_bytes}, {"/metrics.jsonl", at.metrics_bytes}})
    EXPECT_GE(std::filesystem::file_size(folder + name), static_cast<std::uintmax_t>(size)) << name;
}

long temporary_files(const std::string& folder) {
  long count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    count += entry.path().string().find(".tmp-") != std::string::npos;
  return count;
}

TEST(TrainKill, FiftyTimesAtRandomMoments) {
  const TemporaryFolder folder;
  const auto begin = Clock::now();
  ASSERT_EQ(run_program(longer_training(folder / "whole")).code, 0);
  const double whole = std::chrono::duration<double>(Clock::now() - begin).count();

  Rng rng(20, Purpose::test);
  long kills = 0, runs = 0, left_over = 0, with_checkpoint = 0;
  for (; kills < 50; ++runs) {
    const std::string run = folder / ("killed-" + std::to_string(runs));
    for (bool finished = false; !finished;) {
      Program program(next_command(run));
      // Once there have been enough kills the last run is left to end.
      if (kills < 50) {
        std::this_thread::sleep_for(std::chrono::duration<double>(rng.uniform(0, whole / 2)));
        program.send(SIGKILL);
      }
      const Finished end = program.wait();
      ASSERT_TRUE(end.signal == SIGKILL || end.code == 0) << end.err;
      finished = end.code == 0;
      if (finished) break;
      ++kills;
      if (!std::filesystem::exists(run)) continue;
      with_checkpoint += std::filesystem::exists(run + "/last.safetensors");
      left_over += temporary_files(run);
      EXPECT_LE(temporary_files(run), 1) << "leftovers pile up";
      expect_sound_checkpoint(run);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
    expect_same_run(folder / "whole", run);
    EXPECT_TRUE(read_file(folder / "whole/curve.svg") == read_file(run + "/curve.svg"));
    EXPECT_EQ(temporary_files(run), 0);
  }
  // The test is worth something only if most kills came while there was something to lose.
  EXPECT_GE(with_checkpoint, 25) << "of " << kills << " kills, with a whole run of " << whole << " s";
  RecordProperty("runs", static_cast<int>(runs));
  RecordProperty("killed_while_saving", static_cast<int>(left_over));
}

// Ctrl-C and a polite end: the step is finished, the run saved, and the message says how to go on.
class Interrupt : public testing::TestWithParam<int> {};

TEST_P(Interrupt, SavesAndSaysHowToGoOn) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_program(longer_training(folder / "whole")).code, 0);
  Finished end{.code = 0, .signal = 0, .out = {}, .err = {}};
  std::string run;
  // On a busy machine the run may end before the signal gets there: once more.
  for (int attempt = 0; end.code == 0 && attempt < 10; ++attempt) {
    run = folder / ("interrupted-" + std::to_string(attempt));
    Program program(longer_training(run));
    const auto lines = [&] { return read_file(run + "/metrics.jsonl"); };
    while (std::ranges::count(lines(), '\n') < 3) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    program.send(GetParam());
    end = program.wait();
  }
  EXPECT_EQ(end.code, 130) << end.err;
  EXPECT_EQ(end.signal, 0);
  EXPECT_EQ(end.out, "");
  EXPECT_NE(end.err.find("saved; go on with: lookhere train --resume " + run + "\n"), std::string::npos) << end.err;
  EXPECT_NE(end.err.find("stopped after step "), std::string::npos) << end.err;
  EXPECT_TRUE(end.err.ends_with("\nlookhere: interrupted\n")) << end.err;

  const Progression at = progression_of(Safetensors(run + "/last.safetensors"));
  const std::string metrics = read_file(run + "/metrics.jsonl");
  EXPECT_EQ(std::ranges::count(metrics, '\n'), at.step) << "the step it was in counts";
  EXPECT_GE(at.step, 3);
  EXPECT_EQ(run_program({"train", "--resume", run}).code, 0);
  expect_same_run(folder / "whole", run);
}

INSTANTIATE_TEST_SUITE_P(Train, Interrupt, testing::Values(SIGINT, SIGTERM),
                         [](const auto& info) { return info.param == SIGINT ? "SIGINT" : "SIGTERM"; });

}  // namespace
}  // namespace lookhere
