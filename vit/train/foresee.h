// Before a run takes memory: whether it fits. What follows from its model, shards and data alone is asked first; what a
// step's activations take has to be measured.
#pragma once
#include "vit/train/loop.h"
#include "vit/train/plan.h"

namespace lookhere {

// Throws Error (Exit::memory) where what has to be there before the first update is more than is allowed: program,
// data, batches, weights, gradients of all own shards, moments, averages.
void require_room_for_state(const Trainer::Beginning& run, long ranks, const MemoryBudget& budget);
// Measures a step of the rank with the most (measure_needs); before replicas are there, so that only its own memory
// counts.
StepNeeds measure_step_of(const Trainer::Beginning& run, long ranks, const std::function<void(long, long)>& told);
// Throws Error (Exit::memory) where such steps need more than is allowed; else returns the bytes of all.
double require_room_for_steps(const Trainer::Beginning& run, const StepNeeds& step, long ranks,
                              const MemoryBudget& budget);

}  // namespace lookhere
