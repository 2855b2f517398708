// lookhere report: a run or a comparison on one page.
#include <cmath>
#include <filesystem>
#include <optional>

#include "tensor/system/signals.h"
#include "tensor/text.h"
#include "vit/cli/commands.h"
#include "vit/cli/comparison_page.h"
#include "vit/cli/judge.h"
#include "vit/compare/run_report.h"
#include "vit/show/console.h"
#include "vit/show/progress.h"

namespace lookhere {
namespace {

class Report : public Command {
 public:
  Page page() const override {
    return {
        .name = "report",
        .summary = "report.html of a run or of a comparison: curves, tables and pictures on one page, in its folder",
        .examples =
            "  lookhere report runs/fashion\n"
            "  lookhere report runs/fashion --sizes 28,56,112 --metrics accuracy,heads --test-images 500\n"
            "  lookhere report compared"};
  }
  void add_options(Options& o) override {
    o.add({.names = "folder", .help = "of train or compare", .required = true, .file = File::read}, folder);
    o.add({.names = "--sizes",
           .help = "of a run: sides of the test images (none given: 1, 1.5, 2, 3 and 4 times the model's)"},
          sizes);
    o.add({.names = "--metrics", .help = "of a run: " + judging_words()}, metrics);
    o.add({.names = "--test-images",
           .help = "of a run: look at as many, evenly spread (0: all); a comparison has its own number",
           .range = {.low = 0}},
          test_images);
  }
  void run() const override;

 private:
  RunReportOptions run_options() const;

  std::string folder, metrics = "all";
  std::vector<double> sizes;
  long test_images = 1000;
};

RunReportOptions Report::run_options() const {
  RunReportOptions options{.metrics = comma_list(metrics), .test_images = test_images};
  for (const double size : sizes) {
    check(size == std::round(size), "--sizes: wanted whole numbers, got ", size);
    options.sizes.push_back(static_cast<long>(size));
  }
  return options;
}

void Report::run() const {
  std::error_code ignored;
  check(!std::filesystem::is_regular_file(folder, ignored), "report: wanted the folder of a run or a comparison, got ",
        shown(folder));
  if (std::filesystem::exists(folder + "/" + kComparisonFile, ignored)) {
    check(sizes.empty() && metrics == "all",
          "--sizes, --metrics: are of a run's page; a comparison has its own: lookhere compare --resume ",
          shell_word(folder));
    const ComparisonFolder comparison(folder, comparison_in(folder));
    comparison.require_measured();
    comparison.write_results();
    write_comparison_page(comparison);
  } else {
    note_stop_signals();
    std::optional<Progress> progress;
    const bool whole = write_run_report(folder, run_options(),
                                        {.progress =
                                             [&](double done, double total, const std::string& detail) {
                                               if (!progress) progress.emplace("report", std::lround(total));
                                               progress->update(std::lround(done), detail);
                                             },
                                         .stop = asked_to_stop});
    if (!whole) throw Error("interrupted", Exit::interrupted);
    if (progress) progress->finish_quietly();
  }
  print("{}\n", folder + "/report.html");
}

}  // namespace

std::unique_ptr<Command> make_report() { return std::make_unique<Report>(); }

}  // namespace lookhere
