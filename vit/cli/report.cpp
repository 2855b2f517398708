// lookhere report: a run or a comparison on one page.
#include <filesystem>

#include "vit/cli/commands.h"
#include "vit/cli/comparison_page.h"
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
            "  lookhere report compared"};
  }
  void add_options(Options& o) override {
    o.add({.names = "folder", .help = "of train or compare", .required = true, .file = File::read}, folder);
    o.add({.names = "--test-images",
           .help = "of a run: look at as many, evenly spread (0: all); a comparison has its own number",
           .range = {.low = 0}},
          test_images);
  }
  void run() const override;

 private:
  std::string folder;
  long test_images = 2000;
};

void Report::run() const {
  std::error_code ignored;
  check(!std::filesystem::is_regular_file(folder, ignored), "report: wanted the folder of a run or a comparison, got ",
        shown(folder));
  if (std::filesystem::exists(folder + "/" + kComparisonFile, ignored)) {
    const ComparisonFolder comparison(folder, comparison_in(folder));
    comparison.write_results();
    write_comparison_page(comparison);
  } else {
    Progress progress("report", 0);
    write_run_report(folder, test_images, [&](long done, long total) {
      progress.update(done, fmt::format("{} of {} test images", done, total));
    });
    progress.finish_quietly();
  }
  print("{}\n", folder + "/report.html");
}

}  // namespace

std::unique_ptr<Command> make_report() { return std::make_unique<Report>(); }

}  // namespace lookhere
