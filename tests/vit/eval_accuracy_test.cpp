// Accuracy: ranks, a data set scored by hand, and logits that depend on nothing but the image.
#include "vit/eval/accuracy.h"

#include <gmock/gmock.h>

#include "kernels/gemm/gemm.h"
#include "tensor/out_of_memory.h"
#include "tensor/pool.h"
#include "tests/vit/model_cases.h"

namespace lookhere {
namespace {

TEST(RankOfLabel, Cases) {
  const float nan = std::nanf(""), inf = HUGE_VALF;
  const struct {
    std::vector<float> logits;
    long label, want;
  } cases[] = {
      {{3, 1, 2}, 0, 0},
      {{3, 1, 2}, 1, 2},
      {{3, 1, 2}, 2, 1},
      {{5}, 0, 0},
      {{1, 1}, 0, 1},
      {{1, 1}, 1, 1},  // ties count against the label
      {{0, 0, 0, 0}, 2, 3},
      {{2, 1, 1, 0}, 2, 2},
      {{nan, 1, 2}, 0, 2},
      {{nan, 1, 2}, 2, 1},
      {{nan, nan, nan}, 1, 2},
      {{inf, 1, -inf}, 0, 0},
      {{inf, inf, -inf}, 1, 1},
      {{-inf, -inf, 0}, 0, 2},
      {{-0.0F, 0.0F, -1}, 1, 1},
  };
  for (const auto& c : cases)
    EXPECT_EQ(rank_of_label(c.logits.data(), static_cast<long>(c.logits.size()), c.label), c.want)
        << testing::PrintToString(c.logits) << " " << c.label;
}

Dataset dataset(const std::vector<std::int32_t>& labels, long classes) {
  Dataset d;
  d.name = "by hand";
  d.classes = classes;
  d.mean = {0.5F, 0.4F}, d.std = {0.25F, 0.3F};
  d.labels = labels;
  Rng rng(4, Purpose::test);
  std::vector<std::uint8_t> pixels(labels.size() * 2 * 4 * 6);
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(rng.below(256));
  d.set_images(std::move(pixels), 2, 4, 6);
  for (long c = 0; c < classes; ++c) d.class_names.push_back(std::to_string(c));
  return d;
}

// A model that gives every image the same logits: its head's bias.
TEST(Evaluate, AgreesWithCountingByHand) {
  ViTConfig config = small_config(position_preset("none"));
  config.classes = 8, config.head = HeadType::linear;
  ViT model(config, 1);
  const std::vector<float> bias{0, 7, 1, 6, 2, 5, 3, 4};
  for_each_parameter(model, [&](const std::string& name, Var& p) {
    if (name == "head.weight") p.set_value(zeros(p.shape()));
    if (name == "head.bias") p.set_value(from_vector(bias, {8}));
  });
  const std::vector<std::int32_t> labels{1, 1, 3, 5, 7, 6, 6, 4, 2, 0};  // ranks 0 0 1 2 3 4 4 5 6 7
  const Dataset d = dataset(labels, 8);
  double exponentials = 0, loss = 0;
  for (const float b : bias) exponentials += std::exp(static_cast<double>(b));
  for (const std::int32_t label : labels) loss += std::log(exponentials) - static_cast<double>(bias[label]);
  for (const long batch : {1, 3, 10, 64}) {
    Loader loader(d, {.batch_size = batch});
    std::vector<long> progress;
    const Accuracy a =
        evaluate(model, loader, {.progress = [&](long done) { progress.push_back(done); }, .stop = {}, .note = {}});
    EXPECT_EQ(a.images, 10);
    EXPECT_DOUBLE_EQ(a.top1, 20);
    EXPECT_DOUBLE_EQ(a.top5, 70);
    EXPECT_NEAR(a.loss, loss / 10, 1e-6);
    EXPECT_EQ(static_cast<long>(progress.size()), loader.batches());
    EXPECT_EQ(progress.back(), 10);
  }
}

TEST(Evaluate, FewClassesAreAllInTheTopFive) {
  ViT model(small_config(position_preset("lh90")), 1);
  const Dataset d = dataset({0, 1, 2, 2}, 3);
  Loader loader(d, {});
  const Accuracy a = evaluate(model, loader);
  EXPECT_EQ(a.top5, 100);
  EXPECT_EQ(a.top1, 0);  // the head starts with equal logits, and ties count against the label
}

TEST(Evaluate, StopsBetweenBatches) {
  ViT model(small_config(position_preset("lh90")), 1);
  const Dataset d = dataset({0, 1, 2, 2, 1}, 3);
  Loader loader(d, {.batch_size = 2});
  for (const long batches : {0, 1, 2, 3}) {  // of three
    long left = batches;
    const Accuracy a = evaluate(model, loader, {.progress = {}, .stop = [&] { return left-- == 0; }, .note = {}});
    EXPECT_EQ(a.stopped, batches < 3);
    EXPECT_EQ(a.images, std::min(2 * batches, 5L));
    EXPECT_TRUE(std::isfinite(a.loss));
  }
  EXPECT_FALSE(evaluate(model, loader).stopped);
}

// Largest first: the batch as a whole, then parts of it under limits that it does not fit into.
TEST(Evaluate, GoesOnInPartsWhereABatchDoesNotFit) {
  Pool& pool = Pool::of(Device::cpu);
  const Threads one(1);
  ViTConfig config = small_config(position_preset("lh90"));
  config.head = HeadType::linear;
  ViT model(config, std::nullopt);
  fill_by_rule(model);
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 300; ++i) labels.push_back(i % 3);
  const Dataset d = dataset(labels, 3);
  Loader loader(d, {.batch_size = 128});
  std::vector<std::string> notes;
  const auto run = [&] {
    notes.clear();
    return evaluate(model, loader,
                    {.progress = {}, .stop = {}, .note = [&](const std::string& line) { notes.push_back(line); }});
  };
  pool.release_kept();
  const long before = pool.stats().in_use;
  pool.reset_peak();
  const Accuracy whole = run();
  EXPECT_TRUE(notes.empty());
  const long need = pool.stats().peak - before;
  for (const long share : {2, 5, 20}) {
    pool.release_kept();
    pool.set_limit(before + need / share);
    const Accuracy parts = run();
    pool.set_limit(0);
    if (kernels::gemm_backend() == kernels::GemmBackend::own) {
      EXPECT_EQ(parts.loss, whole.loss) << share;
    }
    EXPECT_NEAR(parts.loss, whole.loss, 1e-6);
    EXPECT_EQ(parts.top1, whole.top1);
    EXPECT_EQ(parts.images, 300);
    ASSERT_EQ(notes.size(), 1U) << share;
    EXPECT_THAT(notes[0],
                testing::MatchesRegex("evaluation: 128 images at a time do not fit, going on with (64|32|16|8|4|2|1)"));
  }
  pool.release_kept();
  pool.set_limit(before + 1);
  EXPECT_THROW(run(), OutOfMemory);
  pool.set_limit(0);
  EXPECT_EQ(run().loss, whole.loss);
}

TEST(Evaluate, LabelsMustFitTheModel) {
  ViT model(small_config(position_preset("lh90")), 1);
  const Dataset d = dataset({0, 3}, 4);
  Loader loader(d, {});
  EXPECT_ERROR(evaluate(model, loader), "3");
}

// Not to the last bit: BLAS sums in another order where a matrix has other sizes.
double difference(const Tensor& a, const Tensor& b) { return max_relative_error(a, b, 1); }

TEST(LogitsOf, DependOnTheImageAlone) {
  for (const char* position : {"lh45", "learned"}) {
    ViT model(small_config(position_preset(position)), std::nullopt);
    fill_by_rule(model);
    const Tensor images = rule_images({13, 2, 8, 6}, Dtype::f32);  // not the grid of training
    Tensor want;
    {
      const NoGrad evaluation;
      want = model(Var(images)).value();
    }
    for (const int threads : {1, 2, 3, 5, 16, 40}) {
      const Threads some(threads);
      const Tensor logits = logits_of(model, images);
      EXPECT_LE(difference(logits, want), 1e-6) << threads;
      EXPECT_TRUE(same_bits(logits_of(model, images), logits)) << threads;
      for (const long batch : {1, 4, 6})
        for (long begin = 0; begin < 13; begin += batch) {
          const long end = std::min(begin + batch, 13L);
          EXPECT_LE(difference(logits_of(model, images.rows(begin, end)), want.rows(begin, end)), 1e-6) << begin;
        }
    }
  }
}

TEST(LogitsOf, LeavesNoGraphAndPassesErrorsOn) {
  ViT model(small_config(position_preset("lh90")), 1);
  logits_of(model, rule_images({4, 2, 4, 6}, Dtype::f32));
  for (const Parameter& p : parameters_of(model)) EXPECT_FALSE(p.var.grad().defined());
  EXPECT_ERROR(logits_of(model, zeros({4, 3, 4, 6})), "images must be [batch, 2, height, width], got [4, 3, 4, 6]");
  EXPECT_ERROR(logits_of(model, zeros({4, 2, 5, 6})), "divisible by the patch size 2, got 5x6");
}

}  // namespace
}  // namespace lookhere
