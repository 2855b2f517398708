// One update after another: memory, learning, what is not finite, averaged weights, the best model.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tensor/pool.h"
#include "tests/vit/tiny_run.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

// Calls what a test wants after every update.
struct AfterStep : TrainObserver {
  explicit AfterStep(std::function<void(const Step&)> f) : f(std::move(f)) {}
  void on_step(const Step& step) override { f(step); }
  std::function<void(const Step&)> f;
};

std::vector<Tensor> copy_weights(ViT& model) {
  std::vector<Tensor> copies;
  for (const auto& [name, tensor] : weights_of(model)) copies.push_back(tensor.clone());
  return copies;
}
bool same_weights(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::ranges::equal(a, b, [](const Tensor& x, const Tensor& y) { return same_bits(x, y); });
}
float& first_value(ViT& model, const std::string& wanted) {
  float* found = nullptr;
  for_each_parameter(model, [&](const std::string& name, const Var& p) {
    if (name == wanted) found = p.value().host<float>();
  });
  check(found != nullptr, "no parameter ", wanted);
  return *found;
}
long lines(const std::string& path) { return std::ranges::count(read_file(path), '\n'); }

// The pool is asked once; on one thread, since how much is in use at a time depends on how threads meet.
TEST(TrainSteps, TakeNoNewMemory) {
  const struct {
    const char* name;
    void (*change)(Recipe&);
  } variants[] = {{"plain", [](Recipe&) {}},
                  {"accumulation", [](Recipe& r) { r.grad_accum_steps = 2; }},
                  {"averaged weights", [](Recipe& r) { r.model_ema_decay = 0.9; }},
                  {"uneven shards, dropping", [](Recipe& r) { r.shards = 3, r.drop = 0.1, r.drop_path = 0.1; }}};
  const Threads one(1);
  for (const auto& variant : variants) {
    SCOPED_TRACE(variant.name);
    const TemporaryFolder folder;
    Recipe recipe = tiny_recipe();
    variant.change(recipe);
    // The first epoch ends with an evaluation whose last batch is smaller; from then on nothing is new.
    long after_first = 0, at_epoch = 0;
    const auto allocations = [] { return Pool::of(Device::cpu).stats().allocations; };
    AfterStep observer([&](const TrainObserver::Step& s) {
      long& reference = s.epoch == 0 ? after_first : at_epoch;
      if (reference == 0) reference = allocations();
      EXPECT_EQ(allocations(), reference) << "step " << s.step;
    });
    Trainer trainer(recipe, folder / "run");
    trainer.run(observer);
    EXPECT_EQ(allocations(), at_epoch) << "the second evaluation";
  }
}

TEST(TrainSteps, LearnAFewImagesByHeart) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.shapes_train = recipe.batch_size = 16, recipe.epochs = 120, recipe.smoothing = 0, recipe.weight_decay = 0;
  recipe.lr = 3e-3, recipe.shapes_test = 8;
  train(recipe, folder / "run");
  const std::vector<EpochRow> rows = read_summary(folder / "run/summary.csv");
  ASSERT_EQ(rows.size(), 120U);
  EXPECT_GT(rows.front().train_loss, 1.5);
  EXPECT_LT(rows.back().train_loss, 0.2);
}

// What is drawn beside the test loss is measured as that is, whatever is minimised; without smoothing they are the
// same.
TEST(TrainSteps, LogTheCrossEntropyBesideTheLoss) {
  const auto rows_of = [](bool bce, double smoothing) {
    const TemporaryFolder folder;
    Recipe recipe = tiny_recipe();
    recipe.bce_loss = bce, recipe.smoothing = smoothing, recipe.grad_accum_steps = 2;
    train(recipe, folder / "run");
    const std::string metrics = read_file(folder / "run/metrics.jsonl");
    double sum = 0;
    long updates = 0;
    std::istringstream in(metrics);
    for (std::string line; std::getline(in, line);) {
      const auto json = nlohmann::json::parse(line);
      if (json.at("epoch") == 1) sum += json.at("cross_entropy").get<double>(), ++updates;
    }
    std::vector<EpochRow> rows = read_summary(folder / "run/summary.csv");
    EXPECT_NEAR(rows.at(1).train_cross_entropy, sum / static_cast<double>(updates), 1e-4);
    return rows;
  };
  const std::vector<EpochRow> plain = rows_of(false, 0), smoothed = rows_of(false, 0.4), binary = rows_of(true, 0);
  EXPECT_EQ(plain.at(1).train_cross_entropy, plain.at(1).train_loss);
  EXPECT_GT(smoothed.at(1).train_loss - smoothed.at(1).train_cross_entropy, 0.01);
  EXPECT_NE(binary.at(1).train_cross_entropy, binary.at(1).train_loss);
  EXPECT_NEAR(binary.at(1).train_cross_entropy, binary.at(1).eval_loss, 0.3);
}

// One update whose loss is not finite leaves everything as it was, and is counted.
TEST(TrainSteps, SkipWhatIsNotFinite) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.grad_accum_steps = 2, recipe.model_ema_decay = 0.9;
  Trainer trainer(recipe, folder / "run");
  std::vector<Tensor> before;
  float good = 0;
  AfterStep observer([&](const TrainObserver::Step& s) {
    float& value = first_value(trainer.model(), "blocks.1.mlp.fc1.weight");
    EXPECT_EQ(s.skipped, s.step == 3);
    if (s.step == 2) good = value, before = copy_weights(trainer.model()), value = INFINITY;
    if (s.step != 3) return;
    EXPECT_EQ(s.bad_tensor, "blocks.1.mlp.fc1.weight");
    value = good;
    EXPECT_TRUE(same_weights(before, copy_weights(trainer.model())));
    EXPECT_EQ(trainer.state().skipped_in_a_row, 1);
  });
  EXPECT_EQ(trainer.run(observer), Trainer::Outcome::finished);
  const TrainingState& at = trainer.state();
  EXPECT_EQ(at.skipped, 1);
  EXPECT_EQ(at.skipped_in_a_row, 0);
  EXPECT_EQ(at.updates, at.step - 1);
  const std::string metrics = read_file(folder / "run/metrics.jsonl");
  EXPECT_NE(metrics.find("{\"step\": 3, \"epoch\": 0, \"loss\": null, "), std::string::npos) << metrics;
  EXPECT_EQ(lines(folder / "run/metrics.jsonl"), at.step);
  EXPECT_TRUE(std::isfinite(read_summary(folder / "run/summary.csv")[0].train_loss));
}

void expect_finite_checkpoint(const std::string& path) {
  const Safetensors file(path);
  for (const auto& entry : file.entries())
    for (const float value : to_vector<float>(file.read(entry.name))) ASSERT_TRUE(std::isfinite(value)) << entry.name;
}

Exit code_of(const std::function<void()>& f, const std::string& part) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    return error.code();
  }
  return Exit::ok;
}

TEST(TrainSteps, TenSkipsEndARun) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.shapes_train = 640;  // 20 updates an epoch: no checkpoint in between
  Trainer trainer(recipe, folder / "run");
  AfterStep observer([&](const TrainObserver::Step& s) {
    if (s.step == 4) first_value(trainer.model(), "blocks.0.attn.qkv.weight") = NAN;
  });
  EXPECT_EQ(code_of([&] { trainer.run(observer); },
                    "training diverged: 10 updates in a row were not finite, first in blocks.0.attn.qkv.weight (step "
                    "14); the last checkpoint is "),
            Exit::diverged);
  expect_finite_checkpoint(folder / "run/last.safetensors");
  EXPECT_EQ(lines(folder / "run/metrics.jsonl"), 14);
}

// Weights that are not finite are never saved over finite ones, nor called the best.
TEST(TrainSteps, NeverSaveWhatIsNotFinite) {
  for (const long recovery : {0, 1}) {
    const TemporaryFolder folder;
    Recipe recipe = tiny_recipe();
    recipe.recovery_interval = recovery;
    Trainer trainer(recipe, folder / "run");
    AfterStep observer([&](const TrainObserver::Step& s) {
      if (s.step == 6) first_value(trainer.model(), "norm.weight") = NAN;
    });
    EXPECT_EQ(code_of([&] { trainer.run(observer); }, "training diverged: norm.weight is not finite (step "),
              Exit::diverged);
    expect_finite_checkpoint(folder / "run/last.safetensors");
    EXPECT_EQ(training_state_of(Safetensors(folder / "run/last.safetensors")).step, recovery ? 5 : 0);
    EXPECT_FALSE(std::filesystem::exists(folder / "run/best.safetensors"));
  }
}

// Evaluation borrows the averaged weights and gives the raw ones back; best.safetensors has the averaged ones.
TEST(TrainSteps, AveragedWeightsAreOnlyForEvaluation) {
  struct Watch : TrainObserver {
    void on_step(const Step&) override { raw = copy_weights(trainer->model()); }
    void on_evaluation(long, long) override { evaluated = copy_weights(trainer->model()); }
    void on_epoch(const EpochRow&, bool) override {
      EXPECT_TRUE(same_weights(raw, copy_weights(trainer->model())));
      EXPECT_FALSE(same_weights(raw, evaluated));
    }
    Trainer* trainer = nullptr;
    std::vector<Tensor> raw, evaluated;
  } watch;
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.model_ema_decay = 0.9, recipe.epochs = 1;
  Trainer trainer(recipe, folder / "run");
  watch.trainer = &trainer;
  trainer.run(watch);
  const Safetensors last(folder / "run/last.safetensors"), best(folder / "run/best.safetensors");
  std::size_t k = 0;
  for (const auto& [name, tensor] : weights_of(trainer.model())) {
    EXPECT_TRUE(same_bits(last.read(name), watch.raw[k])) << name;
    EXPECT_TRUE(same_bits(last.read("ema." + name), watch.evaluated[k])) << name;
    EXPECT_TRUE(same_bits(best.read(name), watch.evaluated[k++])) << name;
  }
  EXPECT_EQ(k, watch.raw.size());
}

// Asked to stop as the last batch has been evaluated: the epoch's result is kept, and no further update is made.
TEST(TrainSteps, NoUpdateFollowsARequestToStop) {
  struct Watch : TrainObserver {
    void on_step(const Step&) override { EXPECT_FALSE(asked) << "an update after the request"; }
    void on_epoch(const EpochRow&, bool) override { asked = true; }
    bool asked = false;
  } watch;
  const TemporaryFolder folder;
  Trainer trainer(tiny_recipe(), folder / "run");
  EXPECT_EQ(trainer.run(watch, [&] { return watch.asked; }), Trainer::Outcome::stopped);
  EXPECT_EQ(trainer.state().epoch, 1);
  EXPECT_EQ(training_state_of(Safetensors(folder / "run/last.safetensors")).step, 8);
}

TEST(TrainSteps, BestIsTheEpochWithTheBestTop1) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.epochs = 6, recipe.lr = 1e-2, recipe.warmup_epochs = 0;
  Trainer trainer(recipe, folder / "run");
  TrainObserver nobody;
  trainer.run(nobody);
  const std::vector<EpochRow> rows = read_summary(folder / "run/summary.csv");
  const auto best = std::ranges::max_element(rows, {}, &EpochRow::eval_top1);  // the first of equals
  EXPECT_EQ(trainer.state().best_epoch, best->epoch);
  EXPECT_NEAR(trainer.state().best_top1, best->eval_top1, 1e-3);
  ViT model = load_model(folder / "run/best.safetensors");
  Loader loader(trainer.test_data(), evaluation_loader(recipe, model.config()));
  const Accuracy accuracy = evaluate(model, loader);
  EXPECT_NEAR(accuracy.top1, best->eval_top1, 1e-3);
  EXPECT_NEAR(accuracy.loss, best->eval_loss, 1e-4);
  EXPECT_GE(best->eval_top5, best->eval_top1);
}

}  // namespace
}  // namespace lookhere
