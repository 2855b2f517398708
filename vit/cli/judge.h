// eval --metrics: the numbers that compare has of every run, of one model.
#pragma once
#include "vit/compare/measure.h"
#include "vit/train/recipe.h"

namespace lookhere {

struct Judged {
  std::string model, data, metrics;  // by commas, or all
  std::vector<double> sizes;         // none: the model's own
  std::vector<double> epsilon;
  long test_images = 0;
  std::string curve = {};  // SVG file of top-1 by size; none
  bool json = false;
  Recipe how;  // how sets are split, drawn and read, which loss, batch size, workers, device
};
// Prints a line for each number, or one JSON array.
void judge_model(const Judged& asked);

}  // namespace lookhere
