// What a training step needs of memory and time: measured on this machine with a few blocks and a few images, then
// scaled. Both are linear in the blocks and in the images, so that four small measurements say the rest; nothing has to
// be known of the encoding, the data type or the kernels.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "vit/train/recipe.h"

namespace lookhere {

// Seconds of a step by part.
struct StepTimes {
  double products = 0, attention = 0, others = 0, update = 0;
};
// Of each part its fastest step: whatever else the machine does only adds.
StepTimes fastest(const std::vector<StepTimes>& steps);
// How many times as long as at best a part took at worst, among those that make a tenth of the fastest step or more.
struct TimeSpread {
  std::string part;
  double times = 1;
};
TimeSpread spread_of(const std::vector<StepTimes>& steps);
// A line about steps so far apart that the machine must have been busy with something else; "" if they were not.
std::string note_on(const TimeSpread& spread);

// What `depth` blocks, and what there is beside them, take where `low` blocks took at_low and `high` blocks at_high.
// Where the difference cannot be the blocks' (there is none, or more than in proportion) it is noise: then by the ratio
// of depths. Never less than at_low. low < high <= depth, or all are the same.
double at_depth(long depth, long low, double at_low, long high, double at_high);

// Of one device. Bytes are those that the pool takes for tensors, in use or kept.
struct StepNeeds {
  long parameters = 0, trained = 0, shards = 1;
  double weights = 0, gradients = 0, moments = 0, averages = 0;
  double workspace = 0;                            // whatever the batch
  double image = 0;                                // activations and their gradients, for each image
  double products = 0, attention = 0, others = 0;  // seconds for each image
  double update = 0;                               // seconds: the sum over shards and AdamW
  TimeSpread spread = {};                          // of the steps that were timed

  double state() const { return weights + gradients + moments + averages; }
  double bytes(double images) const { return state() + workspace + image * images; }
  double seconds(double images) const { return (products + attention + others) * images + update; }
};

long trained_count(ViT& model);  // parameters that have a gradient
// What of it needs no measuring: all but workspace, image and times. recipe.shards: settled.
StepNeeds state_of(const Recipe& recipe, long parameters, long trained);
// A step is measured of so many images, and of twice as many. On the processor one for each shard says enough. A GPU
// takes as long for a few images as for one: half of the batch, 32 for each shard at most.
long images_to_measure(const Recipe& recipe);
// Of the model and the recipe's batch size, shards (settled), frozen parts, data type and device. told(done, of)
// between steps. Throws Error for a model that cannot be.
StepNeeds measure_needs(const Recipe& recipe, const ViTConfig& model, const std::function<void(long, long)>& told);

}  // namespace lookhere
