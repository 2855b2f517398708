// Ranks that are processes of mpirun, some of which are killed, leave the files of one process.
#include <sched.h>

#include <chrono>
#include <thread>

#include "tests/mpirun.h"
#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

using Clock = std::chrono::steady_clock;

Surroundings mpirun(Words environment = {}) {
  return {.program = "/usr/bin/mpirun", .environment = environment + kMpiEnvironment};
}
Words ranks(long count, const Words& command) {
  return Words{"-n", std::to_string(count), built("mpi/lookhere")} + command;
}
Words training(const std::string& folder, const std::string& epochs = "2") {
  Words command = tiny_training(folder, epochs);
  *(std::ranges::find(command, "--shards") + 1) = "4";
  return command + Words{"--model-ema-decay", "0.9", "--recovery-interval", "3"};
}

// The processes of a program, in the order in which it has started them.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string text = read_file(entry.path() / "stat");
    if (text.empty()) continue;
    std::istringstream after(text.substr(text.rfind(')') + 1));
    char state = 0;
    pid_t above = 0;
    after >> state >> above;
    if (above == parent && state != 'Z') children.push_back(static_cast<pid_t>(std::stol(name)));
  }
  std::ranges::sort(children);
  return children;
}
// Waits for them for a while. Nobody may ask for the exit code of those whose parent is gone.
bool all_end(const std::vector<pid_t>& processes) {
  const auto ended = [](pid_t process) {
    const std::string text = read_file(concat("/proc/", process, "/stat"));
    return text.empty() || text.find(") Z ") != std::string::npos;
  };
  for (int i = 0; i < 500 && !std::ranges::all_of(processes, ended); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return std::ranges::all_of(processes, ended);
}

TEST(TrainMpi, LeavesTheFilesOfOneProcess) {
  SKIP_WITHOUT_MPI();
  const TemporaryFolder folder;
  for (const char* position : {"lh45", "learned"}) {
    const Words more{"--position", position, "--drop-path", "0.1"};
    const std::string one = folder / concat(position, "-one");
    ASSERT_EQ(run_program(training(one) + more).code, 0);
    for (const long count : {1, 2, 4}) {
      const std::string run = folder / concat(position, "-", count);
      const Finished end = run_program(ranks(count, training(run) + more), mpirun());
      ASSERT_EQ(end.code, 0) << end.err;
      EXPECT_TRUE(end.out.starts_with("top1 ")) << end.out;
      EXPECT_EQ(std::ranges::count(end.out, '\n'), 3) << "the first rank alone speaks: " << end.out;
      expect_same_run(one, run);
      EXPECT_TRUE(read_file(one + "/curve.svg") == read_file(run + "/curve.svg"));
    }
  }
}

// The emulated GPU's gradients go through host memory.
TEST(TrainMpi, LeavesTheFilesOfOneProcessOnAGpu) {
  SKIP_WITHOUT_MPI();
  const TemporaryFolder folder;
  const auto tiny = [&](const std::string& output) {
    return Words{"train", "--data",       "shapes", "--shapes-train", "16", "--shapes-test", "8",  "--dim",
                 "16",    "--depth",      "1",      "--heads",        "2",  "--img-size",    "16", "--patch-size",
                 "8",     "--batch-size", "8",      "--epochs",       "1",  "--shards",      "2",  "--device",
                 "cuda",  "--output",     output};
  };
  ASSERT_EQ(run_program(tiny(folder / "one"), {.program = built("emulated/lookhere")}).code, 0);
  const Finished end = run_program(Words{"-n", "2", built("emulated/mpi/lookhere")} + tiny(folder / "two"), mpirun());
  ASSERT_EQ(end.code, 0) << end.err;
  expect_same_run(folder / "one", folder / "two");
}

TEST(TrainMpi, EachRankHasAGpu) {
  SKIP_WITHOUT_MPI();
  const TemporaryFolder folder;
  const Words command = Words{"-n", "5", built("emulated/mpi/lookhere")} + tiny_training(folder / "run", "1") +
                        Words{"--device", "cuda", "--shards", "8"};
  const Finished end = run_program(command, mpirun({"CUDA_VISIBLE_DEVICES=0,1,2,3,4"}));
  EXPECT_EQ(end.code, 2) << end.err;
  EXPECT_NE(end.err.find("device cuda: 5 ranks on this machine and 4 GPUs: wanted one for each"), std::string::npos)
      << end.err;
}

// mpirun binds a rank to a core, by itself.
TEST(TrainMpi, ARankThatIsBoundSaysSo) {
  SKIP_WITHOUT_MPI();
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  if (CPU_COUNT(&set) < 2) GTEST_SKIP() << "there is one processor";
  int processor = 0;
  while (!CPU_ISSET(processor, &set)) ++processor;
  const TemporaryFolder folder;
  const Words free{"-n", "1", "env", "-u", "OMP_NUM_THREADS"}, bound{"taskset", "-c", std::to_string(processor)};
  const Words command = Words{built("mpi/lookhere")} + tiny_training(folder / "run", "1");
  const std::string note = concat("note: bound to 1 of ", CPU_COUNT(&set), " processors: mpirun --bind-to none\n");
  const Finished end = run_program(free + bound + command, mpirun());
  EXPECT_NE(end.err.find(note), std::string::npos) << end.err;
  const Finished other =
      run_program(Words{"--bind-to", "none"} + free + command + Words{"--output", folder / "other"}, mpirun());
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_EQ(other.err.find("bound to"), std::string::npos) << other.err;
}

// How often: 5 times, or as $LOOKHERE_KILLS says.
long wanted_kills() {
  const char* wanted = std::getenv("LOOKHERE_KILLS");
  return wanted ? std::atol(wanted) : 5;
}

TEST(TrainMpi, ARankThatIsKilledEndsTheOthersAndTheRunGoesOn) {
  SKIP_WITHOUT_MPI();
  const TemporaryFolder folder;
  const auto command = [&](const std::string& run) {
    if (std::filesystem::exists(run + "/last.safetensors")) return Words{"train", "--resume", run};
    return training(run, "40");
  };
  ASSERT_EQ(run_program(training(folder / "whole", "40")).code, 0);
  Rng rng(21, Purpose::test);
  long kills = 0, while_training = 0, starts = 0;
  const long wanted = wanted_kills();
  for (long runs = 0; kills < wanted; ++runs) {
    const std::string run = folder / concat("killed-", runs);
    for (bool finished = false; !finished;) {
      ASSERT_LT(starts, 10 * wanted) << kills << " kills";
      const long count = 2 + starts++ % 3, who = rng.below(static_cast<std::uint32_t>(count));
      Program program(ranks(count, command(run)), mpirun());
      std::vector<pid_t> processes;
      while (program.running() && static_cast<long>((processes = children_of(program.id())).size()) < count)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const auto moment = Clock::now() + std::chrono::milliseconds(rng.below(900));
      // Once there have been enough kills the last run is left to end.
      while (kills < wanted && program.running() && Clock::now() < moment)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (kills < wanted && program.running()) ::kill(processes[who], SIGKILL);
      const auto killed = Clock::now();
      const Finished end = program.wait();
      finished = end.code == 0;
      if (finished) break;  // the kill came too late
      ++kills;
      EXPECT_EQ(end.code, 128 + SIGKILL) << "mpirun's";
      EXPECT_LT(std::chrono::duration<double>(Clock::now() - killed).count(), 30);
      EXPECT_TRUE(all_end(processes));
      EXPECT_NE(end.err.find(concat("rank ", who)), std::string::npos) << "who it was is said: " << end.err;
      while_training += std::filesystem::exists(run + "/last.safetensors");
    }
    expect_same_run(folder / "whole", run);
  }
  EXPECT_GE(while_training, kills / 2) << "of " << kills;
}

// SIGUSR1 may also go to mpirun, as a batch system's does.
TEST(TrainMpi, ASignalStopsAllSaved) {
  SKIP_WITHOUT_MPI();
  const TemporaryFolder folder;
  ASSERT_EQ(run_program(training(folder / "whole", "20")).code, 0);
  for (const int signal : {SIGTERM, SIGUSR1}) {
    const std::string run = folder / concat("run-", signal);
    Program program(ranks(3, training(run, "20")), mpirun());
    while (program.running() && std::ranges::count(read_file(run + "/metrics.jsonl"), '\n') < 3)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ::kill(signal == SIGTERM ? children_of(program.id())[2] : program.id(), signal);
    const Finished end = program.wait();
    EXPECT_EQ(end.code, 130) << end.err;
    EXPECT_NE(end.err.find("saved; go on with: lookhere train --resume " + run), std::string::npos) << end.err;
    EXPECT_NE(end.err.find("\nlookhere: interrupted\n"), std::string::npos) << end.err;
    EXPECT_EQ(end.err.find("rank 1"), std::string::npos) << "one line is enough: " << end.err;
    EXPECT_EQ(run_program(ranks(2, {"train", "--resume", run}), mpirun()).code, 0);
    expect_same_run(folder / "whole", run);
  }
}

// Only the first rank writes: what it cannot write ends all, with its line and its code.
TEST(TrainMpi, AFullDiskEndsAllWithOneLine) {
  SKIP_WITHOUT_MPI();
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  ASSERT_EQ(run_program(training(folder / "whole", "3")).code, 0);
  ASSERT_EQ(run_program(training(run, "3") + Words{"--max-steps", "4"}).code, 0);
  const std::string before = read_file(run + "/last.safetensors");
  // A checkpoint has 200 KB. Messages go without shared memory, whose files have a size as well.
  const std::string limited = concat("ulimit -f 64; exec ", built("mpi/lookhere"), " train --resume ", run);
  const Finished end =
      run_program({"-n", "1", "sh", "-c", limited, ":", "-n", "2", built("mpi/lookhere"), "train", "--resume", run},
                  mpirun({"OMPI_MCA_btl=self,tcp"}));
  EXPECT_EQ(end.code, 5) << end.err;
  EXPECT_NE(end.err.find("lookhere: cannot write " + run + "/last.safetensors: "), std::string::npos) << end.err;
  EXPECT_EQ(end.err.find("lookhere: rank"), std::string::npos) << end.err;
  EXPECT_TRUE(read_file(run + "/last.safetensors") == before);
  EXPECT_EQ(run_program(ranks(4, {"train", "--resume", run}), mpirun()).code, 0);
  expect_same_run(folder / "whole", run);
}

// What is wrong with one rank alone it says itself; what is wrong with all the first one says.
TEST(TrainMpi, MistakesAreOneLine) {
  SKIP_WITHOUT_MPI();
  const TemporaryFolder folder;
  const auto lines_of_ours = [](const std::string& text) {
    std::istringstream lines(text);
    std::vector<std::string> ours;
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("lookhere: ")) ours.push_back(line);
    return ours;
  };
  const std::string run = folder / "run";
  const auto refused = [&](const Words& words, const std::string& why, int code = 2) {
    const Finished end = run_program(words, mpirun());
    EXPECT_EQ(end.code, code) << end.err;
    const auto lines = lines_of_ours(end.err);
    ASSERT_EQ(lines.size(), 1U) << end.err;
    EXPECT_NE(lines[0].find(why), std::string::npos) << lines[0];
    EXPECT_TRUE(!std::filesystem::exists(run) || std::filesystem::is_empty(run));
  };
  const std::string program = built("mpi/lookhere");
  refused(ranks(2, training(run) + Words{"--lr", "-1"}), "lookhere: --lr");
  refused(ranks(3, training(run) + Words{"--nonsense"}), "--nonsense");
  // Other commands take no notice of each other, as compare's processes do that share a folder.
  EXPECT_EQ(run_program(ranks(2, {"masks", "--output", folder / "m.svg"}), mpirun()).code, 0);
  refused(ranks(5, training(run)), "--shards 4: too few for 5 ranks");
  refused(ranks(2, training(run) + Words{"--dump-batches", "1"}), "--dump-batches: wanted one rank, got 2");
  refused(Words{"-n", "1", program} + training(run) + Words{":", "-n", "1", program} + training(run) +
              Words{"--lr", "1e-2"},
          "rank 1 has other options than rank 0: --lr 0.01, not ");
  refused(Words{"-n", "1", program} + training(run) + Words{":", "-n", "1", program, "train", "--data", "nowhere"},
          "lookhere: rank 1: data: no such folder or set, ", 5);
  refused(Words{"-n", "1", program} + training(run) + Words{":", "-n", "1", "-x", "LOOKHERE_ISA=portable", program} +
              training(run),
          "rank 1 has other kind of processor, kernels or BLAS than rank 0");
}

// Builds of one version may differ: here by a byte at the end that nobody reads.
TEST(TrainMpi, AnotherBuildIsRefused) {
  SKIP_WITHOUT_MPI();
  const TemporaryFolder folder;
  const std::string other = folder / "lookhere";
  std::filesystem::copy_file(built("mpi/lookhere"), other);
  std::ofstream(other, std::ios::app) << "x";
  const Words command = tiny_training(folder / "run");
  const Finished end =
      run_program(Words{"-n", "1", built("mpi/lookhere")} + command + Words{":", "-n", "1", other} + command, mpirun());
  EXPECT_EQ(end.code, 2) << end.err;
  EXPECT_NE(end.err.find("rank 1 has other bytes of the program than rank 0\n"), std::string::npos) << end.err;
}

// What adds up emulated GPUs where they are cannot reach another process.
TEST(TrainMpi, TheEmulatorsGpusAddUpInOneProcess) {
  SKIP_WITHOUT_MPI();
  const TemporaryFolder folder;
  const Finished end = run_program(Words{"-n", "2", built("emulated/mpi/lookhere")} + tiny_training(folder / "run") +
                                       Words{"--device", "cuda", "--no-deterministic-reduce"},
                                   mpirun());
  EXPECT_EQ(end.code, 2) << end.err;
  EXPECT_NE(end.err.find("lookhere: rank 1: the emulator adds up the GPUs of one process: wanted --devices or "
                         "--deterministic-reduce\n"),
            std::string::npos)
      << end.err;
}

// Several processes of a program that cannot speak to each other would overwrite each other's work.
TEST(TrainMpi, ProgramsBuiltWithoutItSaySo) {
  const TemporaryFolder folder;
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE=4", "PMI_SIZE=4"}) {
    const Finished end = run_program(tiny_training("run"), {.environment = {variable}});
    EXPECT_EQ(run_program({"masks", "--output", folder / "m.svg"}, {.environment = {variable}}).code, 0);
    EXPECT_EQ(end.code, 2);
    EXPECT_EQ(end.err,
              "lookhere: started as one of 4 processes, and built without MPI: make MPI=1 builds what works with "
              "others\n");
  }
}

// So would those of one that speaks to others by another MPI than the mpirun that has started it.
TEST(TrainMpi, AnotherMpisMpirunIsToldOf) {
  SKIP_WITHOUT_MPI();
  const TemporaryFolder folder;
  const Finished end =
      run_program(tiny_training(folder / "run"), {.program = built("mpi/lookhere"), .environment = {"PMI_SIZE=4"}});
  EXPECT_EQ(end.code, 5);
  EXPECT_TRUE(end.err.starts_with("lookhere: mpirun has started 4 processes, and this program's MPI knows of one"))
      << end.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
}

}  // namespace
}  // namespace lookhere
