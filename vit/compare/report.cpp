// The page's parts, in the order of the questions that a reader has.
#include "vit/compare/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "tensor/file.h"
#include "tensor/machine.h"
#include "tensor/text.h"
#include "vit/compare/report_numbers.h"
#include "vit/compare/report_pictures.h"
#include "vit/compare/results.h"
#include "vit/data/sources.h"
#include "vit/show/html.h"
#include "vit/show/plot.h"
#include "vit/train/log.h"

namespace lookhere {
namespace {

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

class Report {
 public:
  explicit Report(const ComparisonFolder& folder)
      : folder_(folder), c_(folder.comparison()), results_(results_of(c_, folder.path())) {
    for (const std::string& variant : c_.variants)
      if (std::ranges::any_of(results_, [&](const RunResult& r) { return r.variant == variant && !r.values.empty(); }))
        shown_.push_back(variant);
    if (shown_.empty()) shown_ = c_.variants;
  }
  std::string page(const PageWatch& watch);  // empty if it was stopped
  ReportedNumbers numbers() const;
  std::vector<std::string> without_weights() const;

 private:
  const ComparedRun* first_done(const std::string& variant, bool with_weights = false) const;
  void say_what(HtmlPage& page) const;
  void training(HtmlPage& page) const;
  void commands(HtmlPage& page) const;

  const ComparisonFolder& folder_;
  const Comparison& c_;
  std::vector<RunResult> results_;
  std::vector<std::string> shown_;  // the variants that there are numbers of
};

ReportedNumbers Report::numbers() const {
  ReportedNumbers n{.variants = shown_, .models = {}, .results = results_, .sizes = c_.sizes};
  for (const std::string& variant : shown_)
    n.models.push_back(folder_.model(*std::ranges::find(folder_.runs(), variant, &ComparedRun::variant)));
  return n;
}

const ComparedRun* Report::first_done(const std::string& variant, bool with_weights) const {
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const ComparedRun& run = folder_.runs()[i];
    const bool measured = std::ranges::any_of(results_[i].values, [](const auto& m) { return m.metric != kDiverged; });
    if (results_[i].variant == variant && measured && (!with_weights || folder_.has_weights(run))) return &run;
  }
  return nullptr;
}

std::vector<std::string> Report::without_weights() const {
  std::vector<std::string> variants = shown_;
  std::erase_if(variants, [&](const std::string& v) { return !first_done(v) || first_done(v, true); });
  return variants;
}

void Report::say_what(HtmlPage& page) const {
  long done = 0;
  std::string diverged;
  for (std::size_t i = 0; i < results_.size(); ++i) {
    done += folder_.is_done(i);
    for (const Measurement& m : results_[i].values)
      if (m.metric == kDiverged) diverged += fmt::format(" {} with seed {}", results_[i].variant, results_[i].seed);
  }
  const Recipe& r = c_.recipe;
  page.paragraph(fmt::format(
      "{} variants of {}, {} each, trained alike on {} images of {} for {} epochs, judged on {} test images that were "
      "not trained on. The weights are those of the last epoch{}.{}",
      c_.variants.size(), r.model.empty() ? file_name(r.initial_checkpoint) : r.model,
      c_.seeds == 1 ? "one seed" : fmt::format("{} seeds", c_.seeds), folder_.images().train, title_of_dataset(r.data),
      r.epochs, folder_.images().test, r.model_ema_decay > 0 ? ", averaged over the updates" : "",
      c_.seeds == 1 ? "" : " ± is the standard deviation over seeds."));
  if (done < std::ssize(results_))
    page.paragraph(fmt::format("Not complete: {} of {} runs are done.", done, results_.size()));
  if (!diverged.empty()) page.paragraph("Training diverged:" + diverged + ".");
}

void Report::training(HtmlPage& page) const {
  Chart chart{.title = "Test accuracy, first seed", .x_label = "epoch", .y_label = "%", .series = {}};
  for (std::size_t i = 0; i < folder_.runs().size(); ++i) {
    const ComparedRun& run = folder_.runs()[i];
    if (run.recipe.seed != c_.recipe.seed) continue;
    Series s{.name = run.variant, .x = {}, .y = {}};
    for (const EpochRow& row : read_summary_so_far(folder_.file(run.folder + "/summary.csv")))
      s.x.push_back(static_cast<double>(row.epoch + 1)), s.y.push_back(row.eval_top1);
    if (!s.x.empty()) chart.series.push_back(s);
  }
  if (chart.series.empty()) return;
  page.heading("Training");
  page.charts(charts_of_a_few(chart));
}

void Report::commands(HtmlPage& page) const {
  page.heading("The same again");
  std::vector<std::string> sizes, epsilon;
  for (const long size : c_.sizes) sizes.push_back(std::to_string(size));
  for (const double each : c_.epsilon) epsilon.push_back(exact(each));
  std::string command = fmt::format("lookhere compare --positions '{}' --seeds {} --sizes {}", joined(c_.variants, ","),
                                    c_.seeds, joined(sizes, ","));
  if (c_.test_images) command += fmt::format(" --test-images {}", c_.test_images);
  if (!c_.metrics.empty()) command += " --metrics " + joined(c_.metrics, ",");
  if (!epsilon.empty()) command += " --epsilon " + joined(epsilon, ",");
  page.code(command + " -c recipe.toml --output FOLDER");
  page.paragraph("with this recipe.toml:");
  page.code(to_toml(c_.recipe));
  page.paragraph("Made on: " + describe_cpu());
}

std::string Report::page(const PageWatch& watch) {
  std::vector<const ComparedRun*> done;
  Pictured kept{.models = {},
                .sizes = c_.sizes,
                .test_images = c_.test_images,
                .heading = "Where the models look",
                .whose = ", of each position's first model whose weights were kept"};
  for (const std::string& variant : shown_) {
    if (const ComparedRun* run = first_done(variant)) done.push_back(run);
    if (const ComparedRun* run = first_done(variant, true))
      kept.models.push_back({variant, folder_.file(run->folder + "/last.safetensors")});
  }
  if (!without_weights().empty()) kept.whose += " (positions without such a model are left out)";
  HtmlPage page("Position encodings compared", "lookhere compare: trained alike, judged alike");
  say_what(page);
  add_numbers(page, numbers());
  if (!add_pictures(page, kept, watch)) return "";
  add_masks(page, folder_, done);
  training(page);
  commands(page);
  return page.str();
}

}  // namespace

std::vector<std::string> variants_without_weights(const ComparisonFolder& folder) {
  return Report(folder).without_weights();
}

bool write_report(const ComparisonFolder& folder, const PageWatch& watch) {
  Report report(folder);
  const std::string html = report.page(watch), chart = first_accuracy_chart(report.numbers());
  if (html.empty()) return false;
  write_atomically(folder.file("report.html"), [&](FileWriter& out) { out.write(html); });
  if (!chart.empty()) write_atomically(folder.file("accuracy.svg"), [&](FileWriter& out) { out.write(chart); });
  return true;
}

}  // namespace lookhere
