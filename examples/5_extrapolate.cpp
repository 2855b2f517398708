// Lesson 5: models trained at 32 pixels look at larger images without being trained again. Same recipe, three ways to
// know where a patch is: LookHere's directions, learned positions (resized to the larger grid), or nothing. An argument
// sets the number of steps.
#include <cstdio>
#include <cstdlib>

#include "examples/colour_shapes.h"
#include "nn/optim.h"
#include "nn/schedule.h"
#include "vit/eval/accuracy.h"
#include "vit/train/shards.h"

using namespace lookhere;

namespace {

ViT make_model(const std::string& position, long classes) {
  ViTConfig config;
  config.height = config.width = 32, config.patch = 4, config.channels = 3, config.classes = classes;
  config.dim = 48, config.depth = 3, config.heads = 6, config.mlp_ratio = 2;
  config.pool = Pooling::mean;
  config.init_std = 0.15;  // 1 / sqrt(dim): narrow models learn sooner than with the default of 0.02
  config.position = position_preset(position);
  return ViT(config, 1);
}

// Lesson 4's loop, with each batch split over the threads (vit/train/shards.h) instead of each operation.
void train(ViT& model, const Dataset& data, long steps) {
  Loader loader(data, {.batch_size = 64, .shuffle = true, .drop_last = true, .seed = 1});
  AdamW optimizer(parameters_of(model), {.weight_decay = 0.05, .clip_norm = 1});
  ShardedModel sharded(model, 2);
  const Schedule schedule{.peak = 4e-3, .warmup_steps = steps / 10, .total_steps = steps};
  const auto loss = [](const Var& logits, const Tensor& labels) { return softmax_cross_entropy(logits, labels); };
  long epoch = 0;
  loader.start(epoch);
  Batch batch;
  for (long step = 0; step < steps; ++step) {
    if (!loader.next(batch)) loader.start(++epoch), loader.next(batch);
    sharded.accumulate_gradients(batch.images, batch.labels, {}, 1, loss);
    optimizer.step(schedule.at(step));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long steps = argc > 1 ? std::atol(argv[1]) : 500;
  constexpr long kSizes[] = {32, 40, 48, 64};
  const Dataset data = colour_shapes(true, 8192, 32);
  std::vector<Dataset> tests;
  for (long size : kSizes) tests.push_back(colour_shapes(false, 512, size));

  std::printf("accuracy in percent after %ld steps at 32 pixels (chance: %.1f)\n%-10s", steps,
              100.0 / static_cast<double>(data.classes), "pixels");
  for (long size : kSizes) std::printf("%7ldx%ld", size, size);
  std::printf("\n");
  for (const char* position : {"lh45", "learned", "none"}) {
    ViT model = make_model(position, data.classes);
    train(model, data, steps);
    std::printf("%-10s", position);
    for (const Dataset& test : tests) {
      Loader loader(test, {.batch_size = 128});
      std::printf("%10.1f", evaluate(model, loader).top1);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}
