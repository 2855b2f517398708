// lookhere bench data: what loading images for training costs, stage by stage, and what binds it.
#pragma once
#include <nlohmann/json.hpp>

#include "vit/train/recipe.h"

namespace lookhere {

// Measures, prints and returns it: the seconds that each stage takes of one thread for an image, the images a second of
// a whole loader as training has it, and the stage that takes most.
nlohmann::ordered_json bench_data(const Recipe& recipe);

}  // namespace lookhere
