// Allocations that fail, one after another, in training, resuming, evaluating and computing logits: the program ends
// with exit code 0 or 3 and says why in one line, and what it leaves is whole. A sample is tried; with
// $LOOKHERE_FAULTS=all every allocation, which takes an hour or two.
#include <gmock/gmock.h>

#include <sstream>

#include "tensor/npy.h"
#include "tests/preloaded.h"
#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

// Made once: data, a whole run, one that was stopped on its way, and images.
const std::string& prepared() {
  static const TemporaryFolder folder;
  static const std::string path = [] {
    write_idx_folder(folder / "data", 40);
    Recipe recipe = tiny_recipe();
    recipe.data = folder / "data", recipe.batch_size = 16, recipe.depth = 1, recipe.recovery_interval = 1;
    recipe.model_ema_decay = 0.9, recipe.eval_batch_size = 32;
    train(recipe, folder / "whole");
    train(recipe, folder / "stopped", 3);
    save_npy(folder / "x.npy", random({3, 1, 16, 16}, 1, Dtype::f32));
    return folder.path().string();
  }();
  return path;
}

struct Scenario {
  const char* name;
  Words (*command)(const std::string& run);
  const char* begins_as;  // what the run folder is a copy of, if anything
};

const std::vector<Scenario> kScenarios{
    {"train",
     [](const std::string& run) {
       return Words{"train", "-c", prepared() + "/whole/config.toml", "--output", run};
     },
     nullptr},
    {"resume",
     [](const std::string& run) {
       return Words{"train", "--resume", run};
     },
     "stopped"},
    {"eval",
     [](const std::string&) {
       return Words{"eval", "--model", prepared() + "/whole/best.safetensors", "--data", prepared() + "/data"};
     },
     nullptr},
    {"forward",
     [](const std::string& run) {
       return Words{"forward",  "--model",   prepared() + "/whole/best.safetensors", "--images", prepared() + "/x.npy",
                    "--output", run + ".npy"};
     },
     nullptr},
};

// A run in which the k-th allocation fails, 0: none; and_on: every later one as well.
Finished run_with_fault(const Scenario& scenario, const std::string& run, long k, bool and_on,
                        const std::string& count = "") {
  std::filesystem::remove_all(run), std::filesystem::remove(run + ".npy");
  if (scenario.begins_as)
    std::filesystem::copy(prepared() + "/" + scenario.begins_as, run, std::filesystem::copy_options::recursive);
  Words environment{"LD_PRELOAD=" + built("faults.so"), "OMP_NUM_THREADS=2", "FAULT_AT=" + std::to_string(k),
                    "FAULT_COUNT=" + count};
  if (and_on) environment.emplace_back("FAULT_ON=1");
  // The program without CUDA's runtime, which registers kernels before main and dies where it gets no memory for that.
  return run_program(scenario.command(run), {.program = built("emulated/lookhere"), .environment = environment});
}

std::vector<std::string> own_errors(const std::string& err) {
  std::vector<std::string> found;
  std::istringstream lines(err);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("lookhere: ")) found.push_back(line);
  return found;
}

// clang's OpenMP library ends the process by abort() when it gets no memory, after a line of its own.
bool ended_by_openmp(const Finished& end) {
  return end.signal == SIGABRT && end.err.find("OMP: Error #101: Out of heap memory") != std::string::npos;
}

class MemoryFaults : public testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override { SKIP_WITHOUT_FAULTS(); }
  // What was printed or written is the same as without a fault, or the program said why not.
  void expect_end(const Finished& end, const std::string& run) {
    if (ended_by_openmp(end)) return expect_results(end, run);
    ASSERT_EQ(end.signal, 0) << end.err;
    ASSERT_TRUE(end.code == 0 || end.code == 3) << end.code << ": " << end.err;
    const std::vector<std::string> errors = own_errors(end.err);
    ASSERT_EQ(errors.size(), end.code ? 1U : 0U) << end.err;
    if (end.code) {
      ASSERT_THAT(errors[0], testing::AnyOf(testing::MatchesRegex("lookhere: out of memory: .*, .* in use, .*"),
                                            testing::HasSubstr("cannot start a thread: ")));
    }
    expect_results(end, run);
  }
  void expect_results(const Finished& end, const std::string& run) {
    const std::string name = scenario().name;
    if (name == "eval") {
      ASSERT_EQ(end.out, end.code ? "" : undisturbed_.out);
    } else if (name == "forward") {
      ASSERT_EQ(read_file(run + ".npy"), end.code ? "" : read_file(prepared() + "/forward.npy"));
    } else {
      if (end.code && !std::filesystem::exists(run + "/last.safetensors")) return;
      if (end.code) {
        ASSERT_EQ(run_program({"train", "--resume", run}).code, 0);
      }
      expect_same_run(prepared() + "/whole", run);
      ASSERT_TRUE(read_file(run + "/curve.svg") == read_file(concat(prepared(), "/", scenario().name, "/curve.svg")));
    }
  }
  const Scenario& scenario() const { return kScenarios[GetParam()]; }
  Finished undisturbed_;
};

TEST_P(MemoryFaults, EndInOneLine) {
  const std::string count_file = prepared() + "/count";
  undisturbed_ = run_with_fault(scenario(), prepared() + "/" + scenario().name, 0, false, count_file);
  ASSERT_EQ(undisturbed_.code, 0) << undisturbed_.err;
  const long count = std::stol(read_file(count_file));
  ASSERT_GE(count, 500);
  const char* wish = std::getenv("LOOKHERE_FAULTS");
  const bool all = wish && std::string(wish) == "all";
  long ends[4] = {};  // by exit code
  for (const bool and_on : {false, true}) {
    const long tries = all ? count : and_on ? 8 : 24;
    for (long i = 0; i < tries; ++i) {
      const long k = 1 + i * count / tries + (all ? 0 : i % 7);  // not always at the same place of a loop
      SCOPED_TRACE(concat(scenario().name, ": allocation ", k, " of ", count, and_on ? " and all later ones" : ""));
      const std::string run = prepared() + "/faulty";
      const Finished end = run_with_fault(scenario(), run, k, and_on);
      expect_end(end, run);
      if (HasFailure() && !all) return;
      if (end.code == 0 || end.code == 3) ++ends[end.code];
    }
  }
  if (all)
    std::printf("%s: %ld allocations; %ld runs ended well, %ld with exit code 3\n", scenario().name, count, ends[0],
                ends[3]);
  EXPECT_GT(ends[3], 0);
}

// With fewer threads than it asked for, down to one, the loader's batches are the same.
TEST(ThreadFaults, ALoaderGoesOnWithFewer) {
  SKIP_WITHOUT_FAULTS();
  const std::string run = prepared() + "/starved";
  for (const long k : {1, 2, 3, 4, 5, 9}) {
    std::filesystem::remove_all(run);
    const Finished end =
        run_program({"train", "-c", prepared() + "/whole/config.toml", "--workers", "4", "--output", run},
                    {.environment = {"LD_PRELOAD=" + built("faults.so"), "FAULT_THREADS=1", "FAULT_ON=1",
                                     "FAULT_AT=" + std::to_string(k)},
                     .file_size_limit = 0,
                     .memory_limit = 0,
                     .standard_output = {}});
    SCOPED_TRACE(concat("thread ", k, " and all later ones: ", end.err));
    const std::vector<std::string> errors = own_errors(end.err);
    if (end.code == 0) {
      EXPECT_EQ(read_file(run + "/metrics.jsonl"), read_file(prepared() + "/whole/metrics.jsonl"));
      EXPECT_EQ(read_file(run + "/summary.csv"), read_file(prepared() + "/whole/summary.csv"));
    } else {
      EXPECT_EQ(end.code, 3);
      ASSERT_EQ(errors.size(), 1U);
      EXPECT_EQ(errors[0], "lookhere: cannot start a thread: Resource temporarily unavailable");
    }
    // Two loaders of four, training's first: the second one needs the fifth.
    EXPECT_EQ(end.code, k <= 5 ? 3 : 0);
  }
}

// OpenMP's library ends the process from whichever of its threads gets no memory: from two of them at the same time
// too.
TEST(ThreadFaults, SeveralEndTheProcess) {
  SKIP_WITHOUT_FAULTS();
  const Words command{"eval", "--model", prepared() + "/whole/best.safetensors", "--data", prepared() + "/data"};
  for (int i = 0; i < 20; ++i) {
    // With a policy for waiting the program does not start itself again while they end it.
    const Finished end = run_program(
        command, {.environment = {"LD_PRELOAD=" + built("faults.so"), "FAULT_EXITS=4", "OMP_WAIT_POLICY=passive"}});
    ASSERT_EQ(end.signal, 0) << end.err;
    ASSERT_EQ(end.code, 3) << end.err;
    ASSERT_THAT(own_errors(end.err), testing::ElementsAre(testing::HasSubstr("OpenMP")));
  }
}

// Where OpenMP gets none, its library ends the process.
TEST(ThreadFaults, OpenMP) {
  SKIP_WITHOUT_FAULTS();
  const Finished end = run_program({"forward", "--model", prepared() + "/whole/best.safetensors", "--images",
                                    prepared() + "/x.npy", "--output", prepared() + "/starved.npy"},
                                   {.environment = {"LD_PRELOAD=" + built("faults.so"), "OMP_NUM_THREADS=2",
                                                    "LOOKHERE_GEMM=own", "FAULT_THREADS=1", "FAULT_AT=1"},
                                    .file_size_limit = 0,
                                    .memory_limit = 0,
                                    .standard_output = {}});
  EXPECT_TRUE(end.code == 0 || end.code == 3) << end.err;  // a model so small may need no second thread
  if (end.code == 3) {
    EXPECT_THAT(own_errors(end.err), testing::ElementsAre(testing::HasSubstr("OpenMP")));
  }
}

INSTANTIATE_TEST_SUITE_P(Train, MemoryFaults, testing::Range<std::size_t>(0, kScenarios.size()),
                         [](const auto& info) { return kScenarios[info.param].name; });

}  // namespace
}  // namespace lookhere
