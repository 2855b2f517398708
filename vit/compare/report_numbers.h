// What a page says by numbers: of a comparison's variants, or of one run.
#pragma once
#include <string>
#include <vector>

#include "vit/compare/results.h"
#include "vit/model/vit.h"
#include "vit/show/html.h"

namespace lookhere {

struct ReportedNumbers {
  std::vector<std::string> variants;  // in the order of the page
  std::vector<ViTConfig> models;      // of each
  std::vector<RunResult> results;     // of all their runs
  std::vector<long> sizes;            // sides of the test images
};

// Sections, as far as there are numbers: accuracy by size, untuned, tuned and beside the paper's; calibration and
// attacks; shifts and corruptions; what heads and patches do, by layer.
void add_numbers(HtmlPage& page, const ReportedNumbers& numbers);
// The first chart of the first section; empty if there are no numbers for it.
std::string first_accuracy_chart(const ReportedNumbers& numbers);

}  // namespace lookhere
