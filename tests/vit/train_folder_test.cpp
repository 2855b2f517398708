// A run's folder: what is not the run's stays, one process at a time, folders of their own.
#include "vit/train/run_folder.h"

#include <sys/stat.h>

#include <optional>

#include "tests/preloaded.h"
#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

TEST(RunFolder, RefusesToOverwriteAnything) {
  for (const char* name : {"config.toml", "summary.csv", "metrics.jsonl", "curve.svg", "best.safetensors"}) {
    const TemporaryFolder folder;
    write_file(folder / name, "mine");
    const Finished end = run_program(tiny_training(folder.path().string()));
    EXPECT_EQ(end.code, 2);
    EXPECT_NE(end.err.find(concat("is no run's folder but holds ", name)), std::string::npos) << end.err;
    EXPECT_EQ(read_file(folder / name), "mine");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
  }
  const TemporaryFolder folder;  // a link counts, wherever it leads
  fs::create_symlink("nowhere", folder / "summary.csv");
  EXPECT_ERROR(RunFolder(folder.path().string()).require_free(), "holds summary.csv");
}

// Even the recipe that the run is to follow.
TEST(RunFolder, RefusesToOverwriteTheRecipeItReads) {
  const TemporaryFolder folder;
  const std::string config = folder / "config.toml", text = "data = \"shapes\"  # my notes\nepochs = 1\n";
  write_file(config, text);
  const Finished end = run_program({"train", "-c", config, "--output", folder.path().string()});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("holds config.toml"), std::string::npos) << end.err;
  EXPECT_EQ(read_file(config), text);
}

// A copy of an older checkpoint is not resumed beside the newer one, however it is named.
TEST(RunFolder, ACopyIsNotResumedOverTheLastCheckpoint) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "run", 2);
  fs::copy_file(folder / "run/last.safetensors", folder / "run/step2.safetensors");
  const std::string last = read_file(folder / "run/last.safetensors");
  for (const std::string& name :
       {std::string("step2.safetensors"), std::string("./step2.safetensors"), folder / "run/step2.safetensors"}) {
    const Finished end = run_program({"train", "--resume", name}, {.working_folder = folder / "run"});
    EXPECT_EQ(end.code, 2) << name;
    EXPECT_NE(end.err.find("last.safetensors would be overwritten"), std::string::npos) << end.err;
    EXPECT_TRUE(read_file(folder / "run/last.safetensors") == last);
  }
}

// Options that want another model are told as that, and not as a best model that is another run's.
TEST(RunFolder, AnotherModelIsToldBeforeTheBestOne) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "run");
  ASSERT_TRUE(fs::exists(folder / "run/best.safetensors"));
  const Finished end = run_program({"train", "--resume", folder / "run", "--epochs", "9", "--position", "learned"});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("last.safetensors: holds a model with"), std::string::npos) << end.err;
}

TEST(RunFolder, KeepsWhatOnlyLooksLikeALeftover) {
  const TemporaryFolder folder;
  const std::vector<std::string> strangers{"thesis.tmp-draft.txt", "notes.tmp-1-2", "last.safetensors.tmp-old"};
  for (const std::string& name : strangers) write_file(folder / name, "mine");
  fs::create_directories(folder / "a.tmp-1-2/b");
  fs::create_directories(folder / "best.safetensors.tmp-3-4");
  for (const char* name : {"best.safetensors.tmp-1-2", "last.safetensors.tmp-77-0", "curve.svg.tmp-5-5"})
    write_file(folder / name, "torn");
  train(tiny_recipe(), folder.path().string(), 1);
  for (const std::string& name : strangers) EXPECT_EQ(read_file(folder / name), "mine") << name;
  EXPECT_TRUE(fs::exists(folder / "a.tmp-1-2/b"));
  EXPECT_TRUE(fs::exists(folder / "best.safetensors.tmp-3-4"));
  for (const char* name : {"best.safetensors.tmp-1-2", "last.safetensors.tmp-77-0", "curve.svg.tmp-5-5"})
    EXPECT_FALSE(fs::exists(folder / name)) << name;
}

// A checkpoint that was moved beside other people's files.
TEST(RunFolder, AResumedRunKeepsWhatItHasNotWritten) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "run", 9);
  for (const auto& [name, message] : {std::pair{"summary.csv", "which no run has written"},
                                      {"metrics.jsonl", "which no run has written"},
                                      {"curve.svg", "which no run has written"},
                                      {"best.safetensors", "best.safetensors"},
                                      {"config.toml", "config.toml"}}) {
    const std::string moved = folder / std::string("moved-") + name;
    fs::create_directory(moved);
    fs::copy(folder / "run/last.safetensors", moved);
    write_file(moved + "/" + name, "year;patients\n2024;17\n");
    EXPECT_ERROR(resume(moved), message);
    EXPECT_EQ(read_file(moved + "/" + name), "year;patients\n2024;17\n");
  }
  fs::copy(folder / "run/last.safetensors", folder / "run/step9.safetensors");
  const Finished end = run_program({"train", "--resume", folder / "run/step9.safetensors"});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("last.safetensors would be overwritten"), std::string::npos) << end.err;
}

TEST(RunFolder, BelongsToOneProcess) {
  const TemporaryFolder folder;
  const std::string path = folder / "run";
  {
    const RunFolder first(path);
    EXPECT_ERROR(RunFolder second(path), path + ": in use by another process: is this run still going?");
    const Finished end = run_program(tiny_training(path));
    EXPECT_EQ(end.code, 5) << end.err;
    EXPECT_NE(end.err.find("in use by another process"), std::string::npos) << end.err;
  }
  EXPECT_FALSE(fs::exists(path)) << "a folder that was created for nothing";
  EXPECT_NO_THROW(RunFolder{path}.require_free());
}

// NFS locks folders for one machine alone. What others have is the lock of a file.
TEST(RunFolder, BelongsToOneMachine) {
  const TemporaryFolder folder;
  const std::string path = folder / "run";
  {
    const Descriptor elsewhere = open_lock_file(path + ".lock");
    ASSERT_EQ(lock(elsewhere), Lock::held);
    EXPECT_FALSE(RunFolder::if_free(path));
  }
  EXPECT_TRUE(RunFolder::if_free(path));
}

TEST(RunFolder, BelongsToOneProcessWhereFoldersHaveNoLocks) {
  SKIP_WITHOUT_FAULTS();
  const TemporaryFolder folder;
  const std::string path = folder / "run";
  const Surroundings nfs{.environment = {"LD_PRELOAD=" + built("faults.so"), "FAULT_FOLDER_LOCKS=1"}};
  Program first(tiny_training(path, "100000"), nfs);
  while (first.running() && !fs::exists(path + "/best.safetensors")) usleep(1000);
  const Finished second = run_program({"train", "--resume", path}, nfs);
  EXPECT_EQ(second.code, 5);
  EXPECT_NE(second.err.find(path + "/summary.csv: in use by another process: is this run still going?"),
            std::string::npos)
      << second.err;
  const Finished third = run_program(tiny_training(path), nfs);
  EXPECT_EQ(third.code, 2);
  EXPECT_NE(third.err.find("holds a run already"), std::string::npos) << third.err;
  first.send(SIGTERM);
  EXPECT_EQ(first.wait().code, 130);
  const std::string epochs = std::to_string(training_state_of(Safetensors(path + "/last.safetensors")).epoch + 1);
  EXPECT_EQ(run_program({"train", "--resume", path, "--epochs", epochs}, nfs).code, 0);
}

// Two that began at the same time have both found the folder free. The second one finds the first one's lock, or what
// it has left, before it writes anything.
TEST(RunFolder, BelongsToTheFirstOfTwoThatBeginTogether) {
  for (const bool still_going : {true, false}) {
    const TemporaryFolder folder;
    const std::string path = folder / "run", last = path + "/last.safetensors";
    std::optional<Trainer> first;
    std::string saved;
    const auto begin_first = [&](const Trainer::Beginning&) {
      Recipe other = tiny_recipe();
      other.seed = 7;
      TrainObserver nobody;
      first.emplace(other, RunFolder::of_first_rank(path));  // without the folder's lock
      first->run(nobody, {}, 3);
      saved = read_file(last);
      if (!still_going) first.reset();
    };
    EXPECT_ERROR(Trainer(tiny_recipe(), RunFolder(path), "", alone(), begin_first),
                 path + (still_going ? "/summary.csv: in use by another process"
                                     : "/summary.csv: another process has begun a run here meanwhile"));
    EXPECT_FALSE(saved.empty());
    EXPECT_EQ(read_file(last), saved);
    EXPECT_EQ(read_file(path + "/config.toml").find("seed = 42"), std::string::npos);
    EXPECT_GT(fs::file_size(path + "/summary.csv"), 0U);
  }
}

// Before there is a checkpoint a run has an empty summary, and loses nothing with it.
TEST(RunFolder, AnEmptySummaryIsNoRun) {
  const TemporaryFolder folder;
  write_file(folder / "summary.csv", "");
  EXPECT_EQ(run_program(tiny_training(folder.path().string()) + Words{"--max-steps", "1"}).code, 0);
  const std::string full = folder / "full";
  EXPECT_NE(run_program(tiny_training(full), {.file_size_limit = 4096}).code, 0);
  EXPECT_FALSE(fs::exists(full)) << "a folder that was created for nothing";
}

TEST(RunFolder, FreshOnesDoNotCollide) {
  const TemporaryFolder folder;
  const std::string path = folder / "runs/now";
  const RunFolder a = RunFolder::fresh(path), b = RunFolder::fresh(path), c = RunFolder::fresh(path);
  EXPECT_EQ(a.path(), path);
  EXPECT_EQ(b.path(), path + "-2");
  EXPECT_EQ(c.path(), path + "-3");
}

// The folder in which the program was started says nothing about where the data is.
TEST(RunFolder, DataIsFoundFromAnywhere) {
  const TemporaryFolder folder;
  write_idx_folder(folder / "data", 64);
  Words command = tiny_training("run");
  *std::ranges::find(command, "shapes") = "data/../data/";
  EXPECT_EQ(run_program(command + Words{"--max-steps", "1"}, {.working_folder = folder.path().string()}).code, 0);
  EXPECT_EQ(recipe_of(Safetensors(folder / "run/last.safetensors")).data, folder / "data");
  const Finished end = run_program({"train", "--resume", folder / "run"});
  EXPECT_EQ(end.code, 0) << end.err;
}

}  // namespace
}  // namespace lookhere
