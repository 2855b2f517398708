// --device cuda, in the emulator or, where this is linked with it, on a GPU: a run's numbers are the processor's but
// for rounding, it repeats byte for byte, and a checkpoint goes on on either.
#include <nlohmann/json.hpp>

#include <sstream>

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/device.h"
#include "nn/nccl.h"
#include "tensor/dispatch.h"
#include "tensor/npy.h"
#include "tensor/pool.h"
#include "tests/kernels/cases.h"
#include "tests/program.h"
#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

// 20 updates of 8 images.
Recipe small(const char* device, const std::function<void(Recipe&)>& change = {}) {
  Recipe r = tiny_recipe();
  r.device = device;
  r.shapes_train = 160, r.shapes_test = 8, r.eval_batch_size = 8, r.batch_size = 8, r.epochs = 1, r.shards = 1;
  r.dim = 12, r.depth = 2, r.heads = 3, r.mlp_ratio = 2;
  if (change) change(r);
  return r;
}

std::vector<double> numbers_of(const std::string& folder, const char* name) {
  std::istringstream lines(read_file(folder + "/metrics.jsonl"));
  std::vector<double> all;
  for (std::string line; std::getline(lines, line);) all.push_back(nlohmann::json::parse(line)[name]);
  return all;
}

// Losses, norms and weights of two runs, relative to the largest of each tensor.
void expect_same_numbers(const std::string& got, const std::string& want, double tolerance) {
  for (const char* name : {"loss", "grad_norm", "cross_entropy"}) {
    ASSERT_EQ(numbers_of(want, name).size(), 20U);
    EXPECT_LT(worst_error(numbers_of(got, name), numbers_of(want, name)), tolerance) << name;
  }
  const Safetensors a(checkpoint_path(got)), b(checkpoint_path(want));
  for (const auto& entry : b.entries()) {
    if (entry.name.starts_with("optimizer.")) continue;
    std::vector<double> x = to_vector<double>(a.read(entry.name).to(Dtype::f64)),
                        y = to_vector<double>(b.read(entry.name).to(Dtype::f64));
    // The gradient of the keys' bias is 0 but for rounding, and AdamW makes a step of any gradient.
    if (entry.name.ends_with("qkv.bias"))
      for (std::vector<double>* values : {&x, &y}) values->erase(values->begin() + 12, values->begin() + 24);
    double largest = 0;
    for (const double value : y) largest = std::max(largest, std::abs(value));
    EXPECT_LT(worst_error(x, y, largest), tolerance) << entry.name;
  }
}

TEST(OnCuda, TwentyStepsAreTheProcessors) {
  const TemporaryFolder folder;
  train(small("cpu"), folder / "cpu"), train(small("cuda"), folder / "cuda");
  expect_same_numbers(folder / "cuda", folder / "cpu", 1e-5);
  kernels::emulator::set_seed(1);  // another order of threads
  train(small("cuda"), folder / "again");
  kernels::emulator::set_seed(0);
  expect_same_run(folder / "cuda", folder / "again");
}

TEST(OnCuda, EveryPartOfAModelInMixedPrecision) {
  const auto change = [](Recipe& r) {
    r.dtype = "bf16", r.position = "learned", r.head = "mlp", r.pool = "mean", r.layer_scale = 0.1;
    r.drop = 0.1, r.drop_path = 0.2, r.grad_accum_steps = 2, r.batch_size = 4, r.model_ema_decay = 0.9;
    r.activation = "swiglu", r.bce_loss = true;
  };
  const TemporaryFolder folder;
  train(small("cpu", change), folder / "cpu"), train(small("cuda", change), folder / "cuda");
  expect_same_numbers(folder / "cuda", folder / "cpu", 0.02);
}

// As one CUDA graph from the second batch on, with all that changes from one to the next.
TEST(OnCuda, ACapturedStepIsTheSameStep) {
  const auto change = [](Recipe& r) {
    r.drop = 0.1, r.drop_path = 0.2, r.grad_accum_steps = 2, r.batch_size = 4, r.layer_scale = 0.1;
  };
  const auto captured = [&](Recipe& r) { change(r), r.cuda_graph = true; };
  const TemporaryFolder folder;
  train(small("cuda", change), folder / "eager"), train(small("cuda", captured), folder / "graph");
  for (const char* name : {"summary.csv", "metrics.jsonl", "best.safetensors"})
    EXPECT_TRUE(read_file(folder / "eager/" + name) == read_file(folder / "graph/" + name)) << name;
  train(small("cuda", captured), folder / "again", 7), resume(folder / "again");
  expect_same_run(folder / "graph", folder / "again");
}

TEST(OnCuda, ACapturedStepAsksForNothing) {
  struct Counter : TrainObserver {
    std::vector<long> taken;
    void on_step(const Step&) override { taken.push_back(Pool::of(Device::cuda).stats().allocations); }
  } counter;
  const TemporaryFolder folder;
  Recipe recipe = small("cuda", [](Recipe& r) { r.cuda_graph = true; });
  Trainer(recipe, folder / "run").run(counter, {}, 5);
  EXPECT_GT(counter.taken[1], counter.taken[0]);  // the second step captures, with blocks of its own
  for (int step = 2; step < 5; ++step) EXPECT_EQ(counter.taken[step], counter.taken[1]);
}

// The graphs of an update's first batch and of those that add to it work in the same memory, and nothing is kept of the
// passes before them.
TEST(OnCuda, CapturedStepsShareTheirMemory) {
  struct Reserved : TrainObserver {
    long bytes = 0;
    void on_step(const Step&) override { bytes = Pool::of(Device::cuda).stats().reserved; }
  };
  const auto reserved = [](bool graph, long accumulated) {
    Reserved observer;
    const TemporaryFolder folder;
    const Recipe recipe =
        small("cuda", [=](Recipe& r) { r.cuda_graph = graph, r.grad_accum_steps = accumulated, r.shapes_train = 320; });
    Pool& pool = Pool::of(Device::cuda);
    pool.release_kept();
    const long before = pool.stats().reserved;
    Trainer(recipe, folder / "run").run(observer, {}, 4);
    return static_cast<double>(observer.bytes - before);
  };
  const double eager = reserved(false, 2);
  EXPECT_LT(reserved(true, 1), 1.2 * eager);
  EXPECT_LT(reserved(true, 2), 1.2 * eager);
}

TEST(OnCuda, TheGraphIsLeftOutWhereItIsOfNoUse) {
  const auto notes = [](const char* device, long shards, long ranks = 1) {
    return small(device, [=](Recipe& r) { r.cuda_graph = true, r.shards = shards, r.warmup_epochs = 0; }).notes(ranks);
  };
  EXPECT_EQ(notes("cuda", 2, 2), std::vector<std::string>()) << "each has one";
  EXPECT_EQ(notes("cuda", 1), std::vector<std::string>());
  EXPECT_EQ(notes("cpu", 1), std::vector<std::string>{"--cuda-graph is for --device cuda: not used"});
  EXPECT_EQ(notes("cuda", 2), std::vector<std::string>{"--cuda-graph is for one shard, and --shards is 2: not used"});
  EXPECT_EQ(notes("cuda", 2, 2), std::vector<std::string>()) << "one on each";
  EXPECT_EQ(notes("cuda", 3, 2), std::vector<std::string>{"--cuda-graph is for one shard on each of 2 ranks, and "
                                                          "--shards is 3: not used where there are more"});
}

// TF32 keeps 10 bits of the mantissa, and is only taken where it is asked for.
TEST(OnCuda, ProductsInTf32WhereAskedFor) {
  // Large enough that cuBLAS takes the matrix units.
  const Tensor a = full({64, 64}, 1 + 0x1p-12, from_vector<float>({0}, {1})), b = full({64, 64}, 1, a);
  const auto product = [&](bool tf32) {
    use_device("cuda", tf32);
    const Tensor y = linear(Var(a.to(Device::cuda)), Var(b.to(Device::cuda)), {}).value();
    use_device("cuda", false);
    return to_vector<float>(y.to(Device::cpu));
  };
  EXPECT_EQ(product(false), std::vector<float>(64 * 64, 64 + 0x1p-6F));
  EXPECT_EQ(product(true), std::vector<float>(64 * 64, 64));
}

// Of several GPUs' gradients; here of one's.
TEST(OnCuda, NcclAddsGradients) {
  const Tensor gradients = from_vector<float>({1, 2, 3}, {3}).to(Device::cuda);
  const DeviceSum sum = sum_by_nccl(alone());
  sum(gradients);  // as GradientReducer does, outside of any operation
  EXPECT_EQ(to_vector<float>(gradients.to(Device::cpu)), (std::vector<float>{1, 2, 3}));
}

TEST(OnCuda, ARunGoesOnOnTheOther) {
  const TemporaryFolder folder;
  const std::string cpu = folder / "cpu";
  train(small("cpu"), cpu);
  for (const bool here_first : {true, false}) {
    const char *first = here_first ? "cpu" : "cuda", *second = here_first ? "cuda" : "cpu";
    const std::string run = folder / first;
    if (run != cpu) train(small(first), run, 10), resume(run, 0, [&](Recipe& r) { r.device = second; });
    const std::string moved = folder / (std::string(first) + " and back");
    train(small(first), moved, 5);
    resume(moved, 5, [&](Recipe& r) { r.device = second; }), resume(moved, 0, [&](Recipe& r) { r.device = first; });
    expect_same_numbers(moved, cpu, 1e-5);
  }
}

TEST(OnCuda, AStepAfterTheFirstTakesNoMemory) {
  struct Counter : TrainObserver {
    std::vector<long> after_step;
    void on_step(const Step&) override { after_step.push_back(Pool::of(Device::cuda).stats().allocations); }
  } counter;
  const TemporaryFolder folder;
  Trainer(small("cuda"), folder / "run").run(counter, {}, 4);
  EXPECT_EQ(counter.after_step, std::vector<long>(4, counter.after_step[0]));
}

TEST(OnCuda, EveryCommand) {
  const TemporaryFolder folder;
  const std::string run = folder / "run", model = run + "/last.safetensors";
  const std::string gpu = kernels::cuda::description();
  const Surroundings with_gpu{.program = built(gpu.starts_with("the emulator") ? "emulated/lookhere" : "lookhere")};
  const auto go = [&](const Words& words, const Words& more = {}) {
    const Finished end = run_program(words + more, with_gpu);
    EXPECT_EQ(end.code, 0) << words[0] << ": " << end.err << " signal " << end.signal;
    return end;
  };
  const Words cuda{"--device", "cuda"};
  EXPECT_NE(go({"info"}).out.find("gpu       " + gpu), std::string::npos);
  go({"train", "--data",   "shapes", "--shapes-train", "16", "--shapes-test", "8",  "--dim",
      "12",    "--depth",  "1",      "--heads",        "3",  "--img-size",    "16", "--batch-size",
      "8",     "--epochs", "1",      "--output",       run},
     cuda);
  save_npy(folder / "x.npy", random({2, 3, 16, 16}, 1, Dtype::f32));
  save_npy(folder / "y.npy", from_vector<i64>({0, 1}, {2}));
  go({"eval", "--model", model, "--data", "shapes"}, cuda);
  EXPECT_EQ(go({"predict", "--model", model, "shapes:1"}).out, go({"predict", "--model", model, "shapes:1"}, cuda).out);
  go({"gallery", "--model", model, "--data", "shapes", "--count", "2", "--output", folder / "g.svg"}, cuda);
  go({"gradients", "--model", model, "--images", folder / "x.npy", "--labels", folder / "y.npy", "--output",
      folder / "g.safetensors"},
     cuda);
  const auto forward = [&](const std::string& name, const Words& more) {
    go({"forward", "--model", model, "--images", folder / "x.npy", "--output", folder / name}, more);
    return to_vector<float>(load_npy(folder / name));
  };
  EXPECT_LT(worst_error(forward("cuda.npy", cuda), forward("cpu.npy", {})), 1e-5);
  for (const char* what : {"step", "forward"})
    go({"bench", what, "--model", "nano", "--dim", "12", "--heads", "3", "--img-size", "16", "--depth", "1", "-b", "1",
        "--steps", "1"},
       cuda);
}

}  // namespace
}  // namespace lookhere
