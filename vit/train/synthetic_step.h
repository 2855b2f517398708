// A training step on random images, as vit/train/loop.cpp makes one with real ones: for measuring what it costs.
#pragma once
#include "nn/optim.h"
#include "vit/train/recipe.h"
#include "vit/train/shards.h"

namespace lookhere {

// The recipe's model where there are no data: channels, side and, unless given, classes are those of the model it
// names.
ViTConfig model_without_data(const Recipe& recipe, long classes = 0);

// f32 [count, C, Y, X] for the model, on the CPU: uniform with mean 0 and standard deviation 1, as if normalised.
Tensor random_images(const ViTConfig& model, long count, std::uint64_t seed);

class SyntheticStep {
 public:
  // At most recipe.batch_size images, in recipe.shards parts, which must have been settled (shards_of).
  SyntheticStep(ViT& model, const Recipe& recipe);
  // Forward, loss, backward, AdamW.
  void operator()(const Tensor& images);

 private:
  const Recipe& recipe_;
  ShardedModel sharded_;
  AdamW optimizer_;
  Tensor labels_;
  std::uint32_t step_ = 0;
};

}  // namespace lookhere
