// report.html of one run of `train`.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace lookhere {

struct RunReportOptions {
  std::vector<long> sizes = {};           // sides of the test images; none: usual_sizes
  std::vector<std::string> metrics = {};  // groups of them (measure.h); none: all
  long test_images = 0;                   // as Comparison has them
};
struct RunReportWatch {
  // In millions of multiply-adds.
  std::function<void(double done, double total, const std::string& detail)> progress;
  std::function<bool()> stop;
};

// Written into the run's folder: how training went, and what `compare` measures and draws of each of its runs, of the
// model of the last checkpoint; what it makes of some test images, where it looks in one, and its recipe. False if it
// was stopped: nothing is written then. Throws Error for options that do not fit the model.
bool write_run_report(const std::string& folder, const RunReportOptions& options, const RunReportWatch& watch);

}  // namespace lookhere
