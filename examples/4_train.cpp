// Lesson 4: a small LookHere ViT learns in which direction a shape lies from another, with every step of the loop in
// sight. An argument sets the number of steps.
#include <cstdio>
#include <cstdlib>

#include "examples/colour_shapes.h"
#include "nn/optim.h"
#include "nn/schedule.h"
#include "tensor/machine.h"
#include "vit/eval/accuracy.h"

using namespace lookhere;

int main(int argc, char** argv) {
  const long steps = argc > 1 ? std::atol(argv[1]) : 500;
  set_thread_count(1);  // keeps the loop plain; lesson 5 splits each batch over the threads
  const Dataset train = colour_shapes(true, 8192, 32), test = colour_shapes(false, 1024, 32);

  ViTConfig config;
  config.height = config.width = 32, config.patch = 4, config.channels = 3, config.classes = train.classes;
  config.dim = 48, config.depth = 3, config.heads = 6, config.mlp_ratio = 2;
  config.pool = Pooling::mean;
  config.init_std = 0.15;  // 1 / sqrt(dim): narrow models learn sooner than with the default of 0.02
  config.position = position_preset("lh45");
  ViT model(config, 1);
  std::printf("%ld images of %ldx%ld pixels in %ld classes; %ld parameters\n", train.size(), train.height, train.width,
              train.classes, model.parameter_count());

  Loader loader(train, {.batch_size = 64, .shuffle = true, .drop_last = true, .seed = 1});
  AdamW optimizer(parameters_of(model), {.weight_decay = 0.05, .clip_norm = 1});
  const Schedule schedule{.peak = 4e-3, .warmup_steps = steps / 10, .total_steps = steps};

  long epoch = 0;
  loader.start(epoch);
  Batch batch;
  for (long step = 0; step < steps; ++step) {
    if (!loader.next(batch)) loader.start(++epoch), loader.next(batch);
    const Var logits = model(Var(batch.images));                   // forward: builds the graph
    const Var loss = softmax_cross_entropy(logits, batch.labels);  // mean over the batch
    loss.backward();                                               // every parameter gets its gradient
    const auto report = optimizer.step(schedule.at(step));         // updates the weights, clears the gradients
    if (step % (steps / 8 + 1) == 0 || step + 1 == steps)
      std::printf("step %4ld  loss %.4f  gradient norm %.3f  learning rate %.2e\n", step, loss.value().item(),
                  report.gradient_norm, schedule.at(step));
  }

  Loader test_loader(test, {.batch_size = 256});
  const Accuracy accuracy = evaluate(model, test_loader);
  std::printf("accuracy on %ld new images: %.1f %% (chance: %.1f %%)\n", accuracy.images, accuracy.top1,
              100.0 / static_cast<double>(test.classes));
}
