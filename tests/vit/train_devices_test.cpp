// Several GPUs of one process, each with a thread of its own, leave the files of one.
#include "tensor/thread_team.h"
#include "tests/program.h"
#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

Recipe on_gpus() {
  Recipe r = tiny_recipe();
  r.device = "cuda", r.shapes_train = 48, r.shapes_test = 18, r.batch_size = 16, r.dim = 12, r.shards = 4;
  r.model_ema_decay = 0.9, r.drop_path = 0.1, r.workers = 2;
  return r;
}

// Rank r uses GPU first + r.
void train_on(long gpus, int first, const Recipe& recipe, const std::string& folder) {
  ThreadTeam(gpus).run([&](Communicator& team) {
    kernels::cuda::use(first + static_cast<int>(team.rank()));
    TrainObserver nobody;
    RunFolder own = team.rank() > 0 ? RunFolder::of_first_rank(folder) : RunFolder(folder);
    Trainer(recipe, std::move(own), "", team).run(nobody);
  });
  kernels::cuda::use(0);
}

TEST(TrainDevices, LeaveTheFilesOfOne) {
  if (kernels::cuda::count() < 4) GTEST_SKIP() << "wanted 4 GPUs, there are " << kernels::cuda::count();
  const TemporaryFolder folder;
  const Recipe recipe = on_gpus();
  train(recipe, folder / "1");
  for (const long gpus : {2, 3}) {
    SCOPED_TRACE(concat(gpus, " GPUs"));
    const std::string run = folder / std::to_string(gpus);
    train_on(gpus, 4 - static_cast<int>(gpus), recipe, run);
    expect_same_run(folder / "1", run);
  }
}

// Of two GPUs' sums it makes no difference which is added to which.
TEST(TrainDevices, AddWhereTheyAre) {
  if (kernels::cuda::count() < 2) GTEST_SKIP() << "wanted 2 GPUs, there are " << kernels::cuda::count();
  const TemporaryFolder folder;
  Recipe recipe = on_gpus();
  recipe.grad_accum_steps = 2;
  train_on(2, 0, recipe, folder / "by the host");
  recipe.deterministic_reduce = false;
  train_on(2, 0, recipe, folder / "where they are");
  for (const char* name : {"/summary.csv", "/metrics.jsonl"}) {
    const std::string got = read_file(folder / "where they are" + name);
    EXPECT_FALSE(got.empty());
    EXPECT_EQ(got, read_file(folder / "by the host" + name));
  }
}

// Memory of each is its own, and so is its pool.
TEST(TrainDevices, EachHasItsMemory) {
  if (kernels::cuda::count() < 2) GTEST_SKIP() << "wanted 2 GPUs, there are " << kernels::cuda::count();
  const long before = Pool::of(Device::cuda).stats().in_use;
  const Tensor first = full({1 << 10}, 3, Dtype::f32, Device::cuda);
  EXPECT_EQ(Pool::of(Device::cuda).stats().in_use, before + first.bytes());
  const SameGpu gpu;
  std::jthread([&] {
    EXPECT_EQ(kernels::cuda::used(), 0);  // a thread begins with the first one
    kernels::cuda::use(1);
    const long others = Pool::of(Device::cuda).stats().in_use;
    {
      const Tensor second = full({1 << 12}, 2, Dtype::f32, Device::cuda);
      EXPECT_EQ(Pool::of(Device::cuda).stats().in_use, others + second.bytes());
      EXPECT_EQ(to_vector<float>(second.to(Device::cpu))[7], 2);
#ifndef SANITIZED
      if (describe_gpu().starts_with("the emulator")) {
        EXPECT_THROW(first.to(Device::cpu), kernels::cuda::DeviceError) << "memory of another";
      }
#endif
    }
    EXPECT_EQ(Pool::of(Device::cuda).stats().in_use, others);
    gpu.use();
    EXPECT_EQ(to_vector<float>(first.to(Device::cpu))[7], 3);
    EXPECT_THROW(kernels::cuda::use(kernels::cuda::count()), kernels::cuda::DeviceError);
    EXPECT_EQ(kernels::cuda::used(), 0);
  }).join();
  EXPECT_EQ(Pool::of(Device::cuda).stats().in_use, before + first.bytes());
}

TEST(TrainDevices, AsAUserAsksForThem) {
  const TemporaryFolder folder;
  const Surroundings with_gpus{.program = built("emulated/lookhere")};
  const auto training = [&](const std::string& run) {
    return tiny_training(folder / run, "1") + Words{"--device", "cuda", "--shapes-train", "64"};
  };
  for (const char* devices : {"0", "3,1"}) {
    const Finished end = run_program(training(devices) + Words{"--devices", devices}, with_gpus);
    ASSERT_EQ(end.code, 0) << end.err;
    EXPECT_EQ(end.err.find("2 ranks, of which this is the first") != std::string::npos, devices[1] == ',');
  }
  expect_same_run(folder / "0", folder / "3,1");
  // Gone on with another number of them.
  const Finished half = run_program(training("r") + Words{"--devices", "0,1", "--max-steps", "1"}, with_gpus);
  EXPECT_EQ(half.code, 0) << half.err;
  EXPECT_EQ(run_program({"train", "--resume", folder / "r", "--devices", "2"}, with_gpus).code, 0);
  expect_same_run(folder / "0", folder / "r");

  const auto refused = [&](const Words& words, const std::string& why) {
    const Finished end = run_program(training("new") + words, with_gpus);
    EXPECT_EQ(end.code, 2);
    EXPECT_EQ(end.err.substr(end.err.rfind("lookhere: ")), "lookhere: " + why + "\n");
    EXPECT_FALSE(std::filesystem::exists(folder / "new"));
  };
  refused({"--devices", "0,4"}, "--devices: wanted GPUs from 0 to 3, got 4");
  refused({"--devices", "-1"}, "--devices: wanted GPUs from 0 to 3, got -1");
  refused({"--devices", "0,0.5"}, "--devices: wanted GPUs from 0 to 3, got 0.5");
  refused({"--devices", "1,1"}, "--devices: GPU 1 is there twice");
  refused({"--devices", "0,1", "--device", "cpu"}, "--devices: wanted --device cuda beside it");
  refused({"--devices", "0,1,2"}, "--shards 2: too few for 3 ranks, each of which needs one");
  refused({"--devices", "0,1", "--dump-batches", "1"}, "--dump-batches: wanted one rank, got 2");
}

}  // namespace
}  // namespace lookhere
