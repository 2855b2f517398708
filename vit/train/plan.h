// What a training step needs of memory and time, for any batch on any number of devices: measured on this machine with
// a few blocks and a few images, then scaled. Both are linear in the blocks and in the images, so that four small
// measurements say the rest; nothing has to be known of the encoding, the data type or the kernels.
#pragma once
#include <functional>

#include "vit/train/recipe.h"

namespace lookhere {

// Of one device. Bytes are those of tensors.
struct StepNeeds {
  long parameters = 0, shards = 1;
  double weights = 0, gradients = 0, moments = 0, averages = 0;
  double workspace = 0;                            // whatever the batch
  double image = 0;                                // activations and their gradients, for each image
  double products = 0, attention = 0, others = 0;  // seconds for each image
  double update = 0;                               // seconds: the sum over shards and AdamW

  double bytes(double images) const { return weights + gradients + moments + averages + workspace + image * images; }
  double seconds(double images) const { return (products + attention + others) * images + update; }
};

// A step is measured of so many images, and of twice as many. On the processor one for each shard says enough. A GPU
// takes as long for a few images as for one: half of the batch, 32 for each shard at most.
long images_to_measure(const Recipe& recipe);
// Of the model and the recipe's batch size, shards (settled), frozen parts, data type and device. told(done, of)
// between steps. Throws Error for a model that cannot be.
StepNeeds measure_needs(const Recipe& recipe, const ViTConfig& model, const std::function<void(long, long)>& told);

// Devices that share a batch and add their gradients.
struct Team {
  long devices = 1;
  double images = 0;                   // of each device
  double bytes = 0;                    // of each device
  double computing = 0, reducing = 0;  // seconds of a step
  double seconds() const { return computing + reducing; }
};
// shards: of each device. speed: of one of them by this machine's. network: bytes per second of each. Gradients are
// added as GradientReducer does it: 2 (n-1)/n of their bytes through each, in 2 (n-1) messages for each bucket that
// take it 1 µs each, and 20 µs until the first and the last are there; nothing of it is taken to be hidden behind
// backward. What others send needs memory.
Team team_of(const StepNeeds& needs, long batch, long devices, long shards, double speed, double network);

// A run on this machine, as one of `ranks` that are all alike.
struct RunNeeds {
  double bytes = 0;    // of tensors, and of the batches that wait
  double seconds = 0;  // of all updates and evaluations
};
RunNeeds needs_of_run(const StepNeeds& needs, const Recipe& recipe, const ViTConfig& model, long ranks, long updates,
                      long test_images);
// Multiplications and additions of a run, roughly: enough to tell what takes minutes from what takes hours.
double operations_of_run(const Recipe& recipe, const ViTConfig& model, long parameters, long updates);

}  // namespace lookhere
