// One run of a comparison from wherever it stands: trained, then measured.
#pragma once
#include "vit/compare/comparison.h"
#include "vit/compare/measure.h"

namespace lookhere {

enum class RunState {
  done,
  diverged,   // its training did, or its model's answers are not finite
  elsewhere,  // another process is at it
  stopped,
};

// In `folder`/run.folder, which holds what a run of `train` holds and measurements.json. Throws Error if a run with
// another recipe is there.
RunState carry_out(const Comparison& comparison, const ComparedRun& run, const std::string& folder,
                   const Measuring& measuring, const ComparisonWatch& watch);

// Throws Error if its checkpoint is of another recipe.
void require_recipe(const ComparedRun& run, const std::string& folder);

// Among its numbers: 1 at size 0 where it diverged.
inline constexpr const char* kDiverged = "diverged";
// Its numbers as far as they are there.
Measurements measurements_of(const Comparison& comparison, const ComparedRun& run, const std::string& folder);

}  // namespace lookhere
