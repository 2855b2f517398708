// The loss, the randomness and the order are the training loop's.
#include "vit/train/synthetic_step.h"

#include "tensor/random.h"

namespace lookhere {
namespace {

Tensor random_labels(long count, long classes, std::uint64_t seed) {
  Rng rng(seed + 1, Purpose::test);
  Tensor labels = empty({count}, Dtype::i64, Device::cpu);
  for (long i = 0; i < count; ++i) labels.host<i64>()[i] = static_cast<i64>(rng.below(classes));
  return labels;
}

}  // namespace

ViTConfig model_without_data(const Recipe& recipe, long classes) {
  const ViTConfig preset = model_preset(recipe.model);
  Dataset any;
  any.channels = preset.channels, any.classes = classes ? classes : preset.classes;
  any.height = preset.height, any.width = preset.width;
  return model_config(recipe, any);
}

Tensor random_images(const ViTConfig& model, long count, std::uint64_t seed) {
  Rng rng(seed, Purpose::test);
  Tensor images = empty({count, model.channels, model.height, model.width}, Dtype::f32, Device::cpu);
  for (long i = 0; i < images.numel(); ++i) images.host<float>()[i] = static_cast<float>(rng.uniform(-1.73, 1.73));
  return images;
}

SyntheticStep::SyntheticStep(ViT& model, const Recipe& recipe)
    : recipe_(recipe),
      sharded_(model, recipe.shards, recipe.cuda_graph),
      optimizer_(parameters_of(model), optimizer_options(recipe)),
      labels_(random_labels(recipe.batch_size, model.config().classes, static_cast<std::uint64_t>(recipe.seed))) {}

void SyntheticStep::operator()(const Tensor& images) {
  const Pass pass{.drop_path = recipe_.drop_path,
                  .dropout = recipe_.drop,
                  .seed = static_cast<std::uint64_t>(recipe_.seed),
                  .step = step_++,
                  .dtype = dtype_of(recipe_)};
  sharded_.accumulate_gradients(images, labels_.rows(0, images.shape()[0]), pass, 1,
                                [&](const Var& logits, const Tensor& labels) {
                                  return recipe_.bce_loss ? binary_cross_entropy(logits, labels, recipe_.smoothing)
                                                          : softmax_cross_entropy(logits, labels, recipe_.smoothing);
                                });
  optimizer_.step(1e-4);
}

}  // namespace lookhere
