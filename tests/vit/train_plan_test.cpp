// What a plan says of memory is what steps then take; what it says of many devices is arithmetic.
#include "tensor/machine.h"
#include "tensor/pool.h"
#include "tensor/random.h"
#include "tensor/text.h"
#include "tests/vit/small_memory.h"
#include "tests/vit/tiny_run.h"
#include "vit/model/json.h"
#include "vit/train/fine_tune.h"
#include "vit/train/plan.h"
#include "vit/train/synthetic_step.h"

namespace lookhere {
namespace {

// What the pool takes for tensors while steps of this recipe are made.
double bytes_of_steps(const Recipe& recipe, const ViTConfig& config) {
  Pool& pool = Pool::of(device_of(recipe));
  const long before = pool.stats().in_use;
  ViT model(config, 1, Dtype::f32, device_of(recipe));
  if (recipe.freeze) freeze_all_but_head(model);
  SyntheticStep step(model, recipe);
  const Tensor images = random_images(config, recipe.batch_size, 1);
  step(images);
  pool.release_kept();
  step(images);
  return static_cast<double>(pool.stats().reserved - before);
}

TEST(Plan, MemoryIsWithinATenthOfWhatStepsTake) {
  for (const char* position : {"lh90", "learned", "rpe", "rope"})
    for (const char* dtype : {"f32", "bf16"})
      for (const long depth : {1, 8})
        for (const long batch : {4, 24}) {
          ViTConfig config = model_preset("nano");
          config.depth = depth, config.position = position_preset(position);
          Recipe recipe;
          recipe.shards = 2, recipe.batch_size = batch, recipe.dtype = dtype, recipe.model_ema_decay = 0;
          long told = 0;
          const StepNeeds needs = measure_needs(recipe, config, [&](long done, long of) {
            EXPECT_EQ(done, ++told);
            EXPECT_LE(done, of);
          });
          EXPECT_EQ(needs.parameters, ViT(config, std::nullopt).parameter_count());
          const double want = bytes_of_steps(recipe, config);
          // Small blocks are rounded up by an eighth, and each thread has its own.
          EXPECT_NEAR(needs.bytes(static_cast<double>(batch)), want, 0.1 * want + 1e6)
              << position << ' ' << dtype << ", depth " << depth << ", batch " << batch;
          EXPECT_GT(needs.seconds(1), 0);
        }
}

// However far one thread is when another has the most.
TEST(Plan, MemoryIsTheSameWheneverItIsMeasured) {
  const ViTConfig config = model_preset("nano");
  Recipe recipe;
  recipe.shards = 3, recipe.batch_size = 12;
  const StepNeeds first = measure_needs(recipe, config, [](long, long) {});
  for (int i = 0; i < 3; ++i) {
    const StepNeeds again = measure_needs(recipe, config, [](long, long) {});
    EXPECT_EQ(again.image, first.image);
    EXPECT_EQ(again.workspace, first.workspace);
  }
}

// Averaged weights are there once, and what is frozen has neither gradients nor moments.
TEST(Plan, OnlyWhatIsTrainedHasAState) {
  const int threads = thread_count();
  set_thread_count(1);
  ViTConfig config = model_preset("nano");
  config.depth = 6, config.dim = 192, config.heads = 6;
  for (const bool freeze : {false, true}) {
    Recipe recipe;
    recipe.shards = 4, recipe.batch_size = 4, recipe.freeze = freeze;
    const StepNeeds needs = measure_needs(recipe, config, [](long, long) {});
    const double want = bytes_of_steps(recipe, config), floats = 4.0 * static_cast<double>(needs.trained);
    EXPECT_NEAR(needs.bytes(4), want, 0.1 * want) << freeze;
    EXPECT_EQ(needs.trained, freeze ? 192 * config.classes + config.classes : needs.parameters);
    EXPECT_EQ(needs.state(), 4.0 * static_cast<double>(needs.parameters) + (4 + 2 + 1) * floats);
  }
  set_thread_count(threads);
}

// Blocks and what is beside them, timed twice with noise that only adds: whatever it is, the estimate stays between
// what the shallow model took and as much for every block.
TEST(Plan, NoiseMakesNoNonsense) {
  Rng rng(1, Purpose::test);
  const auto noisy = [&](double seconds) { return seconds * (1 + std::pow(rng.uniform(0, 1.5), 4)); };
  for (long i = 0; i < 1000; ++i) {
    const double beside = rng.uniform(0, 1), block = rng.uniform(0.01, 1), low = noisy(beside + 2 * block),
                 high = noisy(beside + 4 * block), deep = at_depth(12, 2, low, 4, high);
    EXPECT_GE(deep, low);
    EXPECT_LE(deep, 6 * low * (1 + 1e-12));
  }
  EXPECT_DOUBLE_EQ(at_depth(12, 2, 0.5, 4, 0.9), 0.5 + 10 * 0.2) << "without noise";
  EXPECT_DOUBLE_EQ(at_depth(12, 2, 0.5, 4, 1), 3) << "nothing beside the blocks";
  EXPECT_DOUBLE_EQ(at_depth(12, 2, 0.95, 4, 0.9), 2.7) << "the shallow one was disturbed";
  EXPECT_DOUBLE_EQ(at_depth(12, 2, 0.5, 4, 0.5), 1.5) << "no difference is none that blocks make";
  EXPECT_DOUBLE_EQ(at_depth(12, 2, 0.5, 4, 1.5), 3) << "the deeper one was disturbed";
  EXPECT_DOUBLE_EQ(at_depth(12, 2, 9, 4, 1), 9) << "as much as was seen";
  EXPECT_DOUBLE_EQ(at_depth(3, 3, 0.5, 3, 0.5), 0.5) << "measured itself";
}

// Each part was at its best in another step.
TEST(Plan, EachPartCountsAtItsFastest) {
  const std::vector<StepTimes> steps{{.products = 1, .attention = 0.5, .others = 0.9, .update = 0.01},
                                     {.products = 1.2, .attention = 0.2, .others = 0.3, .update = 0.2},
                                     {.products = 1.5, .attention = 0.3, .others = 0.4, .update = 0.03}};
  const StepTimes least = fastest(steps);
  EXPECT_EQ(least.products, 1);
  EXPECT_EQ(least.attention, 0.2);
  EXPECT_EQ(least.others, 0.3);
  EXPECT_EQ(least.update, 0.01);
  const TimeSpread spread = spread_of(steps);
  EXPECT_EQ(spread.part, "other operations") << "of the update, 20 times as long, there is too little to matter";
  EXPECT_DOUBLE_EQ(spread.times, 3);
  EXPECT_EQ(note_on(spread).find("the machine is busy: other operations took 3.0 times as long"), 0U);
  EXPECT_EQ(note_on(spread_of({steps[0], steps[0]})), "");
}

// As large as models are.
TEST(Plan, MemoryOfVitTinyIsWithinATenth) {
  Recipe recipe;
  recipe.model = "vit_tiny", recipe.img_size = 224, recipe.batch_size = 2, recipe.shards = 1;
  const ViTConfig config = model_without_data(recipe);
  const StepNeeds needs = measure_needs(recipe, config, [](long, long) {});
  const double want = bytes_of_steps(recipe, config);
  EXPECT_GT(want, 1e8);
  EXPECT_NEAR(needs.bytes(2), want, 0.1 * want);
}

// A GPU that has but an image or two waits for launches: what it needs then says nothing of a batch.
TEST(Plan, AGpuIsMeasuredWithHalfOfABatch) {
  const auto images = [](const char* device, long batch, long shards) {
    Recipe recipe;
    recipe.device = device, recipe.batch_size = batch, recipe.shards = shards;
    return images_to_measure(recipe);
  };
  EXPECT_EQ(images("cuda", 256, 1), 32);
  EXPECT_EQ(images("cuda", 256, 4), 4 * 32);
  EXPECT_EQ(images("cuda", 40, 2), 2 * 10);
  EXPECT_EQ(images("cuda", 1, 1), 1);
  EXPECT_EQ(images("cpu", 256, 4), 4);

  ViTConfig config = model_preset("nano");
  config.height = config.width = 8, config.dim = 12, config.heads = 3, config.depth = 1;
  Recipe recipe;
  recipe.device = "cuda", recipe.shards = 1, recipe.batch_size = 12, recipe.model_ema_decay = 0;
  const StepNeeds needs = measure_needs(recipe, config, [](long, long) {});
  const double want = bytes_of_steps(recipe, config);
  EXPECT_NEAR(needs.bytes(12), want, 0.1 * want);
}

TEST(Plan, ManyDevicesShareABatch) {
  const StepNeeds needs{.weights = 2e6,
                        .gradients = 2e6,
                        .moments = 1e6,
                        .workspace = 1e6,
                        .image = 1e5,
                        .products = 0.01,
                        .attention = 0.002,
                        .others = 0.003,
                        .update = 0.1};
  const Team alone = team_of(needs, 100, 1, 1, 1, 1e9);
  EXPECT_DOUBLE_EQ(alone.bytes, 6e6 + 100 * 1e5);
  EXPECT_DOUBLE_EQ(alone.seconds(), 100 * 0.015 + 0.1);
  const Team four = team_of(needs, 100, 4, 4, 2, 1e9);  // each twice as fast
  EXPECT_DOUBLE_EQ(four.images, 25);
  EXPECT_DOUBLE_EQ(four.computing, (25 * 0.015 + 0.1) / 2);
  EXPECT_DOUBLE_EQ(four.reducing, 1.5 * 2e6 / 1e9 + 6 * 1e-6 + 2 * 20e-6);
  EXPECT_DOUBLE_EQ(four.bytes, 6e6 + 25 * 1e5 + 0.75 * 2e6) << "what three others send";
  EXPECT_DOUBLE_EQ(team_of(needs, 100, 3, 1, 1, 1e9).images, 34);  // the largest part, of a shard each at least
  StepNeeds sharded = needs;
  sharded.shards = 8;  // 8 gradients on one device, 2 on each of four
  EXPECT_DOUBLE_EQ(team_of(sharded, 96, 1, 8, 1, 1e9).bytes, 6e6 + 96 * 1e5);
  const Team shared = team_of(sharded, 96, 4, 8, 1, 1e9);
  EXPECT_EQ(shared.shards, 2);
  EXPECT_DOUBLE_EQ(shared.gradients, 2 * 0.25e6);
  EXPECT_DOUBLE_EQ(shared.received, 0.75 * 0.25e6);
  EXPECT_DOUBLE_EQ(shared.bytes, 4e6 + 0.5e6 + 24 * 1e5 + 0.75 * 0.25e6);
}

// What the rank with the most has: as loaders and replicas divide it.
TEST(Plan, RanksShareShardsAndMemory) {
  const auto share = [](long shards, long batch, long ranks) {
    const auto [own, images] = largest_share(shards, batch, ranks);
    return std::pair(own, images);
  };
  EXPECT_EQ(share(6, 21, 4), std::pair(2L, 8L)) << "two shards of four images; the last rank has three images";
  EXPECT_EQ(share(8, 64, 4), std::pair(2L, 16L));
  EXPECT_EQ(share(4, 21, 4), std::pair(1L, 6L));
  EXPECT_EQ(share(2, 5, 1), std::pair(2L, 5L));
  EXPECT_EQ(allowed_memory({.processes = 4}, 8e9, Device::cpu), 2e9);
  EXPECT_EQ(allowed_memory({.processes = 4}, 8e9, Device::cuda), 8e9) << "each has a GPU of its own";
  EXPECT_EQ(allowed_memory({}, 8e9, Device::cpu), 8e9);
  for (const Device device : {Device::cpu, Device::cuda})
    EXPECT_EQ(allowed_memory({.limit = 3e9, .processes = 4}, 8e9, device), 3e9);
}

TEST(Plan, BatchesThatWaitAreCounted) {
  const Dataset data = load_training_data(tiny_recipe());
  for (const long workers : {1, 5})
    for (const double mixup : {0.0, 0.2})
      for (const ShardRange shards : {ShardRange{0, 1}, ShardRange{1, 3}}) {
        LoaderOptions options{.batch_size = 30, .workers = static_cast<int>(workers), .shards = shards};
        options.shards_in_all = shards.end, options.mix.mixup_alpha = mixup;
        const long before = Pool::of(Device::cpu).stats().in_use;
        const Loader loader(data, options);
        const auto taken = static_cast<double>(Pool::of(Device::cpu).stats().in_use - before);
        EXPECT_NEAR(bytes_of_batches(data, options), taken, 0.1 * taken) << workers << mixup << shards.end;
      }
}

// What does not fit is refused before anything is written; what does says how long it will take, and changes nothing.
TEST(Plan, ARunIsForeseen) {
  const TemporaryFolder folder;
  const Words large{"--dim", "192", "--batch-size", "256", "--img-size", "32", "--patch-size", "2"};
  const Finished refused = run_program(tiny_training(folder / "run") + large + Words{"--mem-limit", "0.3"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_NE(refused.err.find("\nlookhere: --mem-limit: updates of 256 images need about "), std::string::npos)
      << refused.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
  ASSERT_EQ(run_program(tiny_training(folder / "whole")).code, 0);
  const Finished foreseen = run_program(tiny_training(folder / "run") + Words{"--mem-limit", "4"});
  EXPECT_EQ(foreseen.code, 0);
  EXPECT_NE(foreseen.err.find("\n16 updates and 2 evaluations: about "), std::string::npos) << foreseen.err;
  expect_same_run(folder / "whole", folder / "run");
}

// Gradients of 64 shards of 5.4 million parameters are 1.4 GB: nothing of them is taken, where no more than one is.
TEST(Plan, WhatIsKnownIsRefusedBeforeItIsTaken) {
  const TemporaryFolder folder;
  Words command = tiny_training(folder / "run") + Words{"--model", "vit_tiny", "--mem-limit", "1"};
  for (const auto& [option, value] :
       {std::pair{"--dim", "192"}, {"--depth", "12"}, {"--batch-size", "64"}, {"--shards", "64"}})
    *(std::ranges::find(command, option) + 1) = value;
  const Finished refused = run_program(command, small_memory());
  EXPECT_EQ(refused.code, 3);
  EXPECT_NE(
      refused.err.find("\nlookhere: --mem-limit: before the first update weights, gradients of 64 shards and moments"),
      std::string::npos)
      << refused.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
}

// 147 MB of pixels.
TEST(Plan, DataThatDoNotFitAreRefused) {
  const TemporaryFolder folder;
  const Words command{"train",
                      "--data",
                      "shapes",
                      "--shapes-train",
                      "3000",
                      "--shapes-test",
                      "8",
                      "--dim",
                      "24",
                      "--depth",
                      "1",
                      "--heads",
                      "3",
                      "--img-size",
                      "128",
                      "--patch-size",
                      "32",
                      "--batch-size",
                      "2",
                      "--eval-batch-size",
                      "2",
                      "--output",
                      folder / "run",
                      "--max-steps",
                      "1"};
  const Finished refused = run_program(command + Words{"--mem-limit", "0.14"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_NE(refused.err.find("--mem-limit: before the first update"), std::string::npos) << refused.err;
  EXPECT_EQ(run_program(command + Words{"--mem-limit", "2"}).code, 0);
}

// By what is known and, with a limit, by what is measured; jobs are told of it.
TEST(Plan, ARunOfAComparisonThatDoesNotFitIsRefused) {
  const TemporaryFolder folder;
  Words command = split(
      "compare --data shapes --shapes-train 300 --shapes-test 8 --dim 192 --depth 2 --heads 3 --img-size 32 "
      "--patch-size 2 --batch-size 256 --eval-batch-size 8 --shards 2 --epochs 1 --positions none --seeds 1 "
      "--metrics accuracy --holdout 0 --mem-limit 0.3 --output",
      ' ');
  command.push_back(folder / "compared");
  Finished end = run_program(command);
  EXPECT_EQ(end.code, 3) << end.err;
  EXPECT_NE(end.err.find("--mem-limit: updates of 256 images need about "), std::string::npos) << end.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "compared/runs/none-seed42/last.safetensors"));
  *std::ranges::find(command, "0.3") = "0.005";
  end = run_program(command + Words{"--jobs", "2"});
  EXPECT_EQ(end.code, 3) << end.err;
  // The other may have found the run taken.
  const std::string logs = read_file(folder / "compared/job-1.log") + read_file(folder / "compared/job-2.log");
  EXPECT_NE(logs.find("--mem-limit: before the first update"), std::string::npos) << logs;
}

// What is long, and how long.
TEST(Plan, HoursAreArithmetic) {
  Recipe recipe = tiny_recipe();
  ViT model(model_preset("vit_base"), std::nullopt);
  const double epoch = operations_of_run(recipe, model.config(), model.parameter_count(), 1281167 / 32);
  EXPECT_NEAR(epoch, 6.0 * 86.6e6 * 197 * 1281152, 0.01 * epoch) << "2 operations forward, 4 back, for each token";
  const StepNeeds needs{.shards = 2, .weights = 1e6, .gradients = 1e6, .image = 1e5, .products = 0.01, .update = 0.1};
  recipe.batch_size = 32, recipe.epochs = 3, recipe.grad_accum_steps = 2;
  const RunNeeds run = needs_of_run(needs, recipe, 1, 100, 1000);
  EXPECT_DOUBLE_EQ(run.seconds, 100 * (2 * 0.32 + 2 * 0.1) + 3 * (10 + 0.1) / 3);
  EXPECT_DOUBLE_EQ(run.bytes, 2e6 + 32e5);
}

TEST(Plan, TheCommandSaysMemoryTimeAndWhenToStop) {
  Words words = split("plan --model nano --depth 2 -b 8 --devices 16 --images 1000 --epochs 3 --memory 0.001", ' ');
  const Finished end = run_program(words);
  ASSERT_EQ(end.code, 0) << end.err;
  for (const char* part : {"AdamW's moments", "activations of 8 images", "matrix products", "hold 0 images at a time",
                           "too large", "hours"})
    EXPECT_NE(end.out.find(part), std::string::npos) << part << "\n" << end.out;
  EXPECT_EQ(end.out.find("\n     16 "), std::string::npos) << "more devices than images\n" << end.out;
  for (const char* part : {"program and libraries", "memory of each of 8 devices", "gradients that others send"})
    EXPECT_NE(end.out.find(part), std::string::npos) << part << "\n" << end.out;
  EXPECT_EQ(run_program({"plan", "--devices", "0"}).code, 2);
}

TEST(Plan, PartsAddUpForEveryTeam) {
  const Words words =
      split("plan --model nano --depth 2 -b 12 --shards 3 --devices 8 --model-ema-decay 0.9 --json", ' ');
  const Finished end = run_program(words);
  ASSERT_EQ(end.code, 0) << end.err;
  const nlohmann::json plan = parse_object(end.out, "plan"), &teams = plan["teams"];
  ASSERT_EQ(teams.size(), 4U) << end.out;
  const long floats = 4 * plan["parameters"].get<long>();
  for (const auto& team : teams) {
    long all = 0;
    for (const auto& part : team["parts"].items()) all += part.value().get<long>();
    EXPECT_EQ(all, team["bytes"]) << team;
    EXPECT_GT(team["parts"]["program_bytes"], 1 << 20);
    const long devices = team["devices"];
    EXPECT_EQ(team["parts"]["gradients_bytes"], floats * std::max(1L, (3 + devices - 1) / devices));
    EXPECT_EQ(team["parts"]["averages_bytes"], floats);
    EXPECT_EQ(team["parts"].value("received_bytes", 0L),
              std::lround(floats * (1 - 1.0 / static_cast<double>(devices))));
  }
}

}  // namespace
}  // namespace lookhere
