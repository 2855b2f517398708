// What `compare` compares: position encodings, or any options of a recipe, trained alike and judged alike.
#pragma once
#include <string>
#include <vector>

#include "vit/train/recipe.h"

namespace lookhere {

struct Comparison {
  Recipe recipe;  // of every run, but for what its variant and its seed change
  // A position and options of the recipe: "lh180", "lh90:global-slope=0.5",
  // "lookhere:directions=eighths1-none:lr=1e-3".
  std::vector<std::string> variants;
  long seeds = 3;                         // runs of each, with the recipe's seed and those that follow it
  std::vector<long> sizes = {};           // sides of the test images in pixels, multiples of the patch
  long test_images = 0;                   // evenly spread over the test set; 0: all
  std::vector<double> epsilon{1, 3};      // of attacks at the size of training, in 1/255
  std::vector<std::string> metrics = {};  // words of groups_of (measure.h)

  // Throws Error naming what is wrong: unknown variants, two alike, sizes that are no multiple of the patch.
  void validate() const;
};

// A recipe's position and its options as a variant: "lh90:distance=sqrt"; empty without a position.
std::string variant_name(const Recipe& recipe);

// Throws Error for groups of metrics that do not exist, and for sizes out of range, there twice or not in order.
void check_judging(const std::vector<long>& sizes, const std::vector<std::string>& metrics);
// Throws Error where they name tuning and no training images are held out for it.
void check_tuning(const std::vector<std::string>& metrics, bool held_out);

// Every position that --position names, each once: those that mean the same by the last name.
std::vector<std::string> all_positions();

// The recipe with a variant's position and options. Throws Error for a position or an option that does not exist, for
// values out of range and for a seed, which the comparison chooses.
Recipe variant_of(const Recipe& recipe, const std::string& variant);

struct ComparedRun {
  std::string variant;
  Recipe recipe;
  std::string folder;  // "runs/lh180-seed42"
};
// Variant by variant, seed by seed.
std::vector<ComparedRun> runs_of(const Comparison& comparison);

// Without any given: 1, 1.5, 2, 3 and 4 times the model's side, at the nearest multiples of its patch.
std::vector<long> usual_sizes(long side, long patch);

// DIR/compare.json: the comparison as it was asked for last, so that `report` can draw it and `compare` go on with it.
inline constexpr const char* kComparisonFile = "compare.json";
std::string to_json(const Comparison& comparison);
Comparison comparison_from_json(const std::string& text, const std::string& path);  // path: for messages

}  // namespace lookhere
