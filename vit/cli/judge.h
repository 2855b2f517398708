// eval --metrics: the numbers that compare has of every run, of one model.
#pragma once
#include "vit/compare/measure.h"
#include "vit/train/recipe.h"

namespace lookhere {

enum class ResultFormat { table, json, csv };

struct Judged {
  std::string model, data;
  std::vector<std::string> metrics;  // words of groups_of
  std::vector<double> sizes;         // none: the model's own
  std::vector<double> epsilon;
  long attack_steps;   // of PGD
  double attack_step;  // its size in 1/255, or 0
  long test_images = 0;
  std::string curve = {};  // SVG file of top-1 by size; none
  ResultFormat format = ResultFormat::table;
  Recipe how;  // how sets are split, drawn and read, which loss, batch size, workers, device
};
// What --metrics takes, for the help of eval, compare and report.
std::string judging_words();
// Prints the numbers, at every size.
void judge_model(const Judged& asked);

// As results.csv: with the position and the seed of the run behind the file or, where it says nothing of one, the
// position's type and no seed.
std::string to_csv(const Safetensors& file, const std::vector<Measurement>& numbers);

}  // namespace lookhere
