// What training will take: from what a step needs, for any batch on any number of devices, and for a whole run.
#pragma once
#include <string>
#include <vector>

#include "vit/train/step_needs.h"

namespace lookhere {

// Of a batch, what the rank with the most has: shards, and images.
struct Share {
  long shards, images;
};
Share largest_share(long shards, long batch, long ranks);

// Devices that share a batch and add their gradients.
struct Team {
  long devices = 1, shards = 1;        // shards: of each device
  double images = 0;                   // of each device
  double gradients = 0, received = 0;  // bytes of each: of its shards, and of what others send
  double bytes = 0;                    // of each device, in all
  double computing = 0, reducing = 0;  // seconds of a step
  double seconds() const { return computing + reducing; }
};
// shards: of all, at least one for each device. speed: of one of them by this machine's. network: bytes per second of
// each. Gradients are added as GradientReducer does it: 2 (n-1)/n of their bytes through each, in 2 (n-1) messages for
// each bucket that take it 1 µs each, and 20 µs until the first and the last are there; nothing of it is taken to be
// hidden behind backward. What others send needs memory.
Team team_of(const StepNeeds& needs, long batch, long devices, long shards, double speed, double network);

// Memory of one of them by part, in whole bytes that add up to all: with the program and its libraries (0: they are not
// in the device's memory). Parts that are not there are left out.
struct MemoryPart {
  std::string name, key;  // for people, and for programs
  long bytes;
};
std::vector<MemoryPart> memory_parts(const StepNeeds& needs, const Team& team, double program);
long sum_of(const std::vector<MemoryPart>& parts);
// What the process has beside tensors in the memory that the device's are in: program, libraries, data. On a GPU: 0.
double bytes_beside_tensors(Device device);

// What one of so many processes on a machine may have.
struct MemoryBudget {
  double limit = 0;  // bytes; 0: what the device has
  long processes = 1;
};
// Bytes: the limit, or a part of `there`, which is the device's. A GPU is taken to be one process' own.
double allowed_memory(const MemoryBudget& budget, double there, Device device);
// Of the batches that a loader keeps ahead and in use, on its device.
double bytes_of_batches(const Dataset& dataset, const LoaderOptions& options);

// A run on this machine, as one of `ranks` that are all alike.
struct RunNeeds {
  double bytes = 0;    // of tensors
  double seconds = 0;  // of all updates and evaluations
};
RunNeeds needs_of_run(const StepNeeds& needs, const Recipe& recipe, long ranks, long updates, long test_images);
// Multiplications and additions of a run, roughly: enough to tell what takes minutes from what takes hours.
double operations_of_run(const Recipe& recipe, const ViTConfig& model, long parameters, long updates);

}  // namespace lookhere
