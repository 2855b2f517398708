// What training will take: from what a step needs, for any batch on any number of devices, and for a whole run.
#pragma once
#include "vit/train/step_needs.h"

namespace lookhere {

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
