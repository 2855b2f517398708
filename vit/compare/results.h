// The numbers of all runs of a comparison: as a file, as means over seeds, as a table for a terminal.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "vit/compare/comparison.h"
#include "vit/compare/measurements.h"

namespace lookhere {

struct RunResult {
  std::string variant;
  long seed;
  std::vector<Measurement> values;  // as far as they are there
};

// In the order of runs_of.
std::vector<RunResult> results_of(const Comparison& comparison, const std::string& folder);

// results.csv: "position,seed,metric,size,value", a line for each number, run by run; sorted, so that it is the same
// in whatever order the numbers came.
std::string to_csv(const std::vector<RunResult>& results);
inline constexpr const char* kResultsHeader = "position,seed,metric,size,value\n";
// One run's lines; a seed as text, for a model that does not know it.
std::string csv_lines(const std::string& position, const std::string& seed, std::vector<Measurement> values);

bool has_metric(const std::vector<RunResult>& results, const std::string& metric);

// Over a variant's seeds.
struct Spread {
  long count;
  double mean, deviation;  // the sample's standard deviation; 0 of a single number
};
std::optional<Spread> spread_of(const std::vector<RunResult>& results, const std::string& variant,
                                const std::string& metric, long size);

// Top-1 accuracy: a row for each variant, a column for each size, the best of each column marked.
std::string accuracy_table(const Comparison& comparison, const std::vector<RunResult>& results, bool unicode);

}  // namespace lookhere
