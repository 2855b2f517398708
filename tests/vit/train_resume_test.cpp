// Stopping and going on changes no bit, wherever a run stops and whatever is random in it. Nor does the number of
// threads.
#include <nlohmann/json.hpp>
#include <regex>

#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

struct Variant {
  const char* name;
  void (*change)(Recipe&);
  std::vector<long> stops;  // updates between stops
};

const std::vector<Variant> kVariants{
    {"InTheMiddleOfAnEpoch", [](Recipe&) {}, {3}},
    {"AfterTheFirstUpdate", [](Recipe&) {}, {1}},
    {"AtTheEndOfAnEpoch", [](Recipe&) {}, {8}},
    {"BeforeTheLastUpdate", [](Recipe&) {}, {15}},
    {"Twice", [](Recipe&) {}, {3, 7}},
    {"AfterEveryUpdate", [](Recipe&) {}, std::vector<long>(15, 1)},
    {"WithRecoveryCheckpoints", [](Recipe& r) { r.recovery_interval = 3; }, {5}},
    {"WithGradientAccumulation", [](Recipe& r) { r.grad_accum_steps = 2; }, {3, 2}},
    {"WithAccumulationThatLeavesBatchesOver", [](Recipe& r) { r.grad_accum_steps = 3; }, {1, 2}},
    {"WithAveragedWeights", [](Recipe& r) { r.model_ema_decay = 0.9; }, {5, 4}},
    {"WithDropPath", [](Recipe& r) { r.drop_path = 0.3; }, {5}},
    {"WithDropout", [](Recipe& r) { r.drop = 0.2; }, {5}},
    {"WithoutSmoothing", [](Recipe& r) { r.smoothing = 0; }, {5}},
    {"WithBinaryCrossEntropy", [](Recipe& r) { r.bce_loss = true; }, {5}},
    {"WithCrops", [](Recipe& r) { r.crop_padding = 2; }, {5}},
    {"WithLearnedPositions", [](Recipe& r) { r.position = "learned", r.head = "mlp", r.layer_scale = 1e-2; }, {5}},
    {"InOneShard", [](Recipe& r) { r.shards = 1; }, {5}},
    {"InUnevenShards", [](Recipe& r) { r.shards = 5; }, {5}},
    {"WithAllOfIt",
     [](Recipe& r) {
       r.grad_accum_steps = 2, r.model_ema_decay = 0.9, r.drop_path = 0.2, r.drop = 0.1, r.crop_padding = 1;
       r.shards = 3, r.recovery_interval = 2, r.workers = 2, r.epochs = 3;
     },
     {3, 4}},
};

class Resume : public testing::TestWithParam<Variant> {};

TEST_P(Resume, GivesTheSameBytes) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  GetParam().change(recipe);
  EXPECT_EQ(train(recipe, folder / "whole"), Trainer::Outcome::finished);

  const std::vector<long>& stops = GetParam().stops;
  EXPECT_EQ(train(recipe, folder / "parts", stops[0]), Trainer::Outcome::stopped);
  for (std::size_t i = 1; i < stops.size(); ++i)
    EXPECT_EQ(resume(folder / "parts", stops[i]), Trainer::Outcome::stopped);
  EXPECT_EQ(resume(folder / "parts"), Trainer::Outcome::finished);
  expect_same_run(folder / "whole", folder / "parts");
}

INSTANTIATE_TEST_SUITE_P(Train, Resume, testing::ValuesIn(kVariants),
                         [](const auto& info) { return std::string(info.param.name); });

// Mirrored images need a data set whose labels allow it.
TEST(TrainResume, WithMirroredImages) {
  const TemporaryFolder folder;
  write_idx_folder(folder / "data", 96);
  Recipe recipe = tiny_recipe();
  recipe.data = folder / "data", recipe.hflip = 0.5, recipe.crop_padding = 1;
  train(recipe, folder / "whole");
  train(recipe, folder / "parts", 2);
  resume(folder / "parts");
  expect_same_run(folder / "whole", folder / "parts");
}

// In the middle of an image's views.
TEST(TrainResume, WithRepeatedAugmentation) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.aug_repeats = 3, recipe.crop_padding = 2;
  train(recipe, folder / "whole");
  train(recipe, folder / "parts", 3);
  EXPECT_ERROR(resume(folder / "parts", 0, [](Recipe& r) { r.aug_repeats = 2; }),
               "--aug-repeats 2: the run stands at image 96 of an epoch with 3");
  resume(folder / "parts");
  expect_same_run(folder / "whole", folder / "parts");
}

// The number of threads that prepare batches may change on the way; it is part of the recipe, so the files that hold
// the recipe differ in that.
TEST(TrainResume, WithOtherWorkers) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.crop_padding = 1;
  train(recipe, folder / "whole");
  train(recipe, folder / "parts", 3);
  resume(folder / "parts", 6, [](Recipe& r) { r.workers = 3; });
  resume(folder / "parts", 0, [](Recipe& r) { r.workers = 1; });
  expect_same_run(folder / "whole", folder / "parts");
}

TEST(TrainResume, AFinishedRunStaysAsItIs) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "run");
  std::filesystem::copy(folder / "run", folder / "copy");
  EXPECT_EQ(resume(folder / "run"), Trainer::Outcome::finished);
  expect_same_run(folder / "copy", folder / "run");
}

// A copy of a run's folder is a run of its own: so one branches off.
TEST(TrainResume, ACopyOfTheFolderGoesOnByItself) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "run", 5);
  std::filesystem::copy(folder / "run", folder / "copy");
  resume(folder / "copy");
  resume(folder / "run");
  expect_same_run(folder / "run", folder / "copy");
}

// What was logged after the checkpoint is written once more, not twice.
TEST(TrainResume, LogsAreCutToTheCheckpoint) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "whole");
  train(tiny_recipe(), folder / "run", 5);
  for (const char* name : {"run/summary.csv", "run/metrics.jsonl"})
    write_file(folder / name, read_file(folder / name) + "{\"step\": 6, \"ep");
  resume(folder / "run");
  expect_same_run(folder / "whole", folder / "run");
}

TEST(TrainResume, RefusesWhatDoesNotFit) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "run", 5);
  const std::string before = read_file(folder / "run/last.safetensors");
  const std::string run = folder / "run";
  EXPECT_ERROR(resume(run, 0, [](Recipe& r) { r.dim = 48; }), "last.safetensors: holds a model with dim 24");
  EXPECT_ERROR(resume(run, 0, [](Recipe& r) { r.position = "lh45"; }), "holds a model with position");
  EXPECT_ERROR(resume(run, 0, [](Recipe& r) { r.seed = 7; }), "--seed 7: the run stands at image 160 of an epoch");
  EXPECT_ERROR(resume(run, 0, [](Recipe& r) { r.shapes_train = 255; }),
               "shapes: the training images or labels are not");
  EXPECT_ERROR(resume(run, 0, [](Recipe& r) { r.shapes_test = 41; }), "shapes: the test images or labels are not");
  EXPECT_ERROR(resume(run, 0, [](Recipe& r) { r.model_ema_decay = 0.9; }), "ema.cls_token");
  EXPECT_ERROR(train(tiny_recipe(), run), "holds a run already: go on with --resume");
  EXPECT_TRUE(before == read_file(folder / "run/last.safetensors")) << "a refused resume changed the checkpoint";
  {
    const RunFolder elsewhere(run);
    EXPECT_ERROR(resume(run), run + ": in use by another process");
  }
  const std::string metrics = read_file(run + "/metrics.jsonl");
  write_file(run + "/metrics.jsonl", metrics.substr(0, 10));
  EXPECT_ERROR(resume(run), "wanted at least");
}

// A checkpoint is untrusted input like every file.
TEST(TrainResume, RefusesLyingProgress) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "run", 5);
  const std::string path = folder / "run/last.safetensors";
  const auto with_progress = [&](const std::string& text) {
    auto [tensors, metadata] = contents_without_hashes(path);
    metadata["progress"] = text;
    save_safetensors(folder / "lie.safetensors", tensors, metadata);
    return training_state_of(Safetensors(folder / "lie.safetensors"));
  };
  const std::string good = Safetensors(path).metadata().at("progress");
  const auto changed = [&](const std::string& name, const std::string& value) {
    std::string text = good;
    const std::size_t begin = text.find("\"" + name + "\":") + name.size() + 3;
    return text.replace(begin, text.find_first_of(",}", begin) - begin, value);
  };
  EXPECT_EQ(with_progress(good).step, 5);
  EXPECT_ERROR(with_progress("[1, 2"), "'progress' in the metadata: progress: wanted a JSON object, got no valid JSON");
  EXPECT_ERROR(with_progress("{}"), "'epoch' is missing");
  EXPECT_ERROR(with_progress(changed("step", "\"5\"")), "'step' must be an integer");
  EXPECT_ERROR(with_progress(changed("step", "5.5")), "'step' must be an integer");
  EXPECT_ERROR(with_progress(changed("epoch", "-2")), "'epoch' must be in");
  EXPECT_ERROR(with_progress(changed("updates", "18446744073709551615")), "'updates' must be in");
  EXPECT_ERROR(with_progress(changed("best_top1", "null")), "'best_top1' must be a number");
}

// Version 0.1 counted updates, and knew neither hashes nor data.
TEST(TrainResume, GoesOnWithACheckpointOfVersion01) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "whole");
  train(tiny_recipe(), folder / "run", 5);
  const std::string path = folder / "run/last.safetensors";
  auto [tensors, metadata] = contents_without_hashes(path);
  for (const char* key : {"data.train", "data.test"}) EXPECT_EQ(metadata.erase(key), 1U);
  std::string& progress = metadata.at("progress");
  const std::string now = "\"images_in_epoch\":160";
  ASSERT_NE(progress.find(now), progress.npos) << progress;
  progress.replace(progress.find(now), now.size(), "\"step_in_epoch\":5");
  save_safetensors(path, tensors, metadata);
  resume(folder / "run");
  expect_same_run(folder / "whole", folder / "run");
}

// It measured no cross-entropy beside the loss: its summary goes on with the columns that it has.
TEST(TrainResume, GoesOnWithASummaryOfVersion01) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "whole");
  train(tiny_recipe(), folder / "run", 11);  // three updates into the second epoch
  const std::string path = folder / "run/last.safetensors", summary = folder / "run/summary.csv";
  const auto without_last_column = [](const std::string& csv) {
    return std::regex_replace(csv, std::regex(",[^,\n]*\n"), "\n");
  };
  write_file(summary, without_last_column(read_file(summary)));
  EXPECT_TRUE(read_file(summary).starts_with("epoch,train_loss,eval_loss,eval_top1,eval_top5,lr\n0,"));
  auto [tensors, metadata] = contents_without_hashes(path);
  auto progress = nlohmann::ordered_json::parse(metadata.at("progress"));
  EXPECT_EQ(progress.erase("epoch_cross_entropy") + progress.erase("epoch_cross_entropies"), 2U);
  progress["summary_bytes"] = read_file(summary).size();
  metadata["progress"] = progress.dump();
  save_safetensors(path, tensors, metadata);

  resume(folder / "run");
  EXPECT_EQ(read_file(summary), without_last_column(read_file(folder / "whole/summary.csv")));
  EXPECT_EQ(read_file(folder / "run/metrics.jsonl"), read_file(folder / "whole/metrics.jsonl"));
  const std::vector<EpochRow> rows = read_summary(summary);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_TRUE(std::isnan(rows[1].train_cross_entropy));

  // One that begins anew has the column, for the updates since.
  std::filesystem::remove(summary);
  save_safetensors(path, tensors, metadata);
  resume(folder / "run");
  const double anew = read_summary(summary).at(0).train_cross_entropy;
  EXPECT_NEAR(anew, read_summary(folder / "whole/summary.csv").at(1).train_cross_entropy, 0.5);
}

// At a fixed number of shards the result does not depend on how many threads share the work.
TEST(TrainThreads, OneOrTwoGiveTheSameBytes) {
  for (const long shards : {1, 2, 3}) {
    const TemporaryFolder folder;
    Recipe recipe = tiny_recipe();
    recipe.shards = shards, recipe.drop_path = 0.1, recipe.drop = 0.1;
    for (const int threads : {1, 2}) {
      const Threads scope(threads);
      train(recipe, folder / std::to_string(threads));
    }
    SCOPED_TRACE(shards);
    expect_same_run(folder / "1", folder / "2");
  }
}

}  // namespace
}  // namespace lookhere
