// Signals and standard streams: a run that is told to stop saves itself, also while it evaluates; one that cannot
// report goes on.
#include <chrono>
#include <thread>

#include "tests/preloaded.h"
#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

void pause_briefly() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }

// Trains until `ready`, sends a signal, and returns how it ended; once more where the run was over before that.
Finished signalled(const Words& command, const std::string& run, int signal, const std::function<bool()>& ready,
                   const Surroundings& surroundings = {}) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    std::filesystem::remove_all(run);
    Program program(command, surroundings);
    while (!ready() && program.running()) pause_briefly();
    program.send(signal);
    const Finished end = program.wait();
    if (end.code != 0) return end;
  }
  return {};
}
long updates_in(const std::string& run) { return std::ranges::count(read_file(run + "/metrics.jsonl"), '\n'); }

class StopSignal : public testing::TestWithParam<std::pair<const char*, int>> {};

TEST_P(StopSignal, SavesWhileTraining) {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  ASSERT_EQ(run_program(tiny_training(folder / "whole", "12")).code, 0);
  const Finished end =
      signalled(tiny_training(run, "12"), run, GetParam().second, [&] { return updates_in(run) >= 3; });
  EXPECT_EQ(end.code, 130) << end.err;
  EXPECT_EQ(end.out, "");
  EXPECT_NE(end.err.find("saved; go on with: lookhere train --resume " + run + "\n"), std::string::npos) << end.err;
  EXPECT_NE(end.err.find("stopped after step "), std::string::npos) << end.err;
  EXPECT_TRUE(end.err.ends_with("\nlookhere: interrupted\n")) << end.err;
  EXPECT_EQ(training_state_of(Safetensors(run + "/last.safetensors")).step, updates_in(run));
  EXPECT_EQ(run_program({"train", "--resume", run}).code, 0);
  expect_same_run(folder / "whole", run);
}

// The epoch is saved before it is evaluated, and a signal is answered between two batches of the evaluation.
TEST_P(StopSignal, SavesWhileEvaluating) {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  const auto training = [](const std::string& output) {
    Words command = tiny_training(output, "2");
    *(std::ranges::find(command, "--shapes-test") + 1) = "3000";
    return command + Words{"--eval-batch-size", "8", "--model-ema-decay", "0.9"};
  };
  ASSERT_EQ(run_program(training(folder / "whole")).code, 0);
  const auto epoch_is_saved = [&] {  // 8 updates, and the checkpoint knows of them
    if (updates_in(run) != 8) return false;
    return training_state_of(Safetensors(run + "/last.safetensors")).step == 8;
  };
  const Finished end = signalled(training(run), run, GetParam().second, epoch_is_saved);
  EXPECT_EQ(end.code, 130) << end.err;
  const TrainingState at = training_state_of(Safetensors(run + "/last.safetensors"));
  EXPECT_EQ(at.epoch, 0);
  EXPECT_EQ(at.images_in_epoch, 256);
  EXPECT_EQ(read_file(run + "/summary.csv"), kSummaryHeader) << "not evaluated to the end";
  EXPECT_FALSE(std::filesystem::exists(run + "/best.safetensors"));
  EXPECT_EQ(run_program({"train", "--resume", run}).code, 0);
  expect_same_run(folder / "whole", run);
}

INSTANTIATE_TEST_SUITE_P(Train, StopSignal,
                         testing::Values(std::pair{"SIGINT", SIGINT}, std::pair{"SIGTERM", SIGTERM},
                                         std::pair{"SIGHUP", SIGHUP}, std::pair{"SIGUSR1", SIGUSR1},
                                         std::pair{"SIGUSR2", SIGUSR2}, std::pair{"SIGXCPU", SIGXCPU},
                                         std::pair{"SIGPIPE", SIGPIPE}),
                         [](const auto& info) { return info.param.first; });

// What the parent process ignores stays ignored: nohup.
TEST(TrainSignals, AnIgnoredOneStaysIgnored) {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  for (const int signal : {SIGHUP, SIGPIPE, SIGINT}) {
    std::filesystem::remove_all(run);
    Program program(tiny_training(run, "4"), {.ignored = {signal}});
    while (updates_in(run) < 3 && program.running()) pause_briefly();
    program.send(signal);
    EXPECT_EQ(program.wait().code, 0) << signal;
  }
}

// A reader that goes away, as head does: saved and stopped. One that never was, or has no room: the run goes on.
TEST(TrainStreams, AReaderThatLeftStopsTheRunSaved) {
  const TemporaryFolder folder;
  const std::string run = folder / "run", pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  Program program(tiny_training(run, "100"), {.standard_error = pipe});
  while (updates_in(run) < 3 && program.running()) pause_briefly();
  close(reader);
  const Finished end = program.wait();
  EXPECT_EQ(end.signal, 0);
  EXPECT_EQ(end.code, 130);
  EXPECT_EQ(training_state_of(Safetensors(run + "/last.safetensors")).step, updates_in(run));
}

TEST(TrainStreams, FailingToReportStopsNothing) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_program(tiny_training(folder / "whole")).code, 0);
  const std::pair<const char*, Surroundings> cases[] = {
      {"stderr closed", {.closed = {2}}},
      {"stderr full", {.standard_error = "/dev/full"}},
      {"stdin closed", {.closed = {0}}},
      {"stdin and stderr closed", {.closed = {0, 2}}},
  };
  for (const auto& [name, surroundings] : cases) {
    SCOPED_TRACE(name);
    const std::string run = folder / name;
    EXPECT_EQ(run_program(tiny_training(run), surroundings).code, 0);
    expect_same_run(folder / "whole", run);
  }
  // Results that nobody gets are an error, once all work is done and saved.
  for (const Surroundings& surroundings :
       {Surroundings{.closed = {1}}, {.standard_output = "/dev/full"}, {.closed = {0, 1, 2}}}) {
    std::filesystem::remove_all(folder / "run");
    const Finished end = run_program(tiny_training(folder / "run"), surroundings);
    EXPECT_EQ(end.code, 5);
    const bool heard = surroundings.closed.size() < 3;
    EXPECT_EQ(end.err.find("lookhere: cannot write to standard output: ") != std::string::npos, heard) << end.err;
    expect_same_run(folder / "whole", folder / "run");
  }
}

// Where every other system call is interrupted, each is made again.
TEST(TrainStreams, InterruptedSystemCallsAreMadeAgain) {
  SKIP_WITHOUT_FAULTS();
  const TemporaryFolder folder;
  ASSERT_EQ(run_program(tiny_training(folder / "whole")).code, 0);
  const Surroundings interrupting{.environment = {"LD_PRELOAD=" + built("faults.so"), "FAULT_INTERRUPTS=1"}};
  const Finished end = run_program(tiny_training(folder / "new/run") + Words{"--max-steps", "5"}, interrupting);
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_EQ(run_program({"train", "--resume", folder / "new/run"}, interrupting).code, 0);
  expect_same_run(folder / "whole", folder / "new/run");
}

// A file that is opened first must not become the standard error of a closed one.
TEST(TrainStreams, NothingIsWrittenIntoAFileInTheirPlace) {
  const TemporaryFolder folder;
  const Finished end = run_program({"masks", "--output", folder / "m.svg"}, {.closed = {0, 1, 2}});
  EXPECT_EQ(end.code, 5);
  EXPECT_EQ(read_file(folder / "m.svg").substr(0, 5), "<svg ");
  EXPECT_EQ(read_file(folder / "m.svg").find("m.svg"), std::string::npos);
}

}  // namespace
}  // namespace lookhere
