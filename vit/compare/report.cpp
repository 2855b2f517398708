// The page's parts, in the order of the questions that a reader has.
#include "vit/compare/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "tensor/file.h"
#include "tensor/machine.h"
#include "tensor/text.h"
#include "vit/compare/paper.h"
#include "vit/compare/report_pictures.h"
#include "vit/compare/results.h"
#include "vit/data/sources.h"
#include "vit/eval/corruption.h"
#include "vit/show/html.h"
#include "vit/show/plot.h"
#include "vit/train/log.h"

namespace lookhere {
namespace {

constexpr std::size_t kLinesPerChart = 6;
constexpr long kOwnSide = 0;  // in place of a size: each variant's own

std::string with_spread(const std::optional<Spread>& spread) {
  if (!spread) return "–";
  const int digits = std::abs(spread->mean) < 5 ? 2 : 1;
  return spread->count < 2 ? fmt::format("{:.{}f}", spread->mean, digits)
                           : fmt::format("{:.{}f} ± {:.{}f}", spread->mean, digits, spread->deviation, digits);
}

// The chart in as many as it takes for lines to be told apart.
std::vector<std::string> a_few_each(const Chart& chart) {
  std::vector<std::string> charts;
  for (std::size_t begin = 0; begin < chart.series.size(); begin += kLinesPerChart) {
    Chart some = chart;
    some.series.assign(chart.series.begin() + begin,
                       chart.series.begin() + std::min(begin + kLinesPerChart, chart.series.size()));
    charts.push_back(line_charts({some}));
  }
  return charts;
}

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

struct Column {
  std::string title, metric;
  long size;
  bool low_is_good = false;
};

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
  std::string first_chart() const { return has("top1") ? charts_of("Top-1 accuracy", false)[0] : ""; }

 private:
  std::optional<Spread> spread(const std::string& variant, const std::string& metric, long size) const {
    return spread_of(results_, variant, metric, size == kOwnSide ? side_of(variant) : size);
  }
  // Of the images that the variant was trained on.
  long side_of(const std::string& variant) const {
    const auto run = std::ranges::find(folder_.runs(), variant, &ComparedRun::variant);
    return folder_.model(*run).height;
  }
  bool has(const std::string& metric) const { return has_metric(results_, metric); }
  const ComparedRun* first_done(const std::string& variant, bool with_weights = false) const;
  void say_what(HtmlPage& page) const;
  std::vector<std::string> charts_of(const std::string& title, bool tuned) const;
  void accuracy(HtmlPage& page) const;
  void tuned_accuracy(HtmlPage& page) const;
  void table(HtmlPage& page, const std::string& caption, const std::vector<Column>& columns) const;
  void beside_the_paper(HtmlPage& page) const;
  void calibration_and_attacks(HtmlPage& page) const;
  void robustness(HtmlPage& page) const;
  void by_layer(HtmlPage& page) const;
  void training(HtmlPage& page) const;
  void commands(HtmlPage& page) const;

  const ComparisonFolder& folder_;
  const Comparison& c_;
  std::vector<RunResult> results_;
  std::vector<std::string> shown_;  // the variants that there are numbers of
};

const ComparedRun* Report::first_done(const std::string& variant, bool with_weights) const {
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const ComparedRun& run = folder_.runs()[i];
    const bool measured = std::ranges::any_of(results_[i].values, [](const auto& m) { return m.metric != kDiverged; });
    if (results_[i].variant == variant && measured && (!with_weights || folder_.has_weights(run))) return &run;
  }
  return nullptr;
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

// A chart of top-1 by size for every few variants; the first of all is in each, to compare with.
std::vector<std::string> Report::charts_of(const std::string& title, bool tuned) const {
  std::vector<Series> all;
  std::vector<double> reach;
  for (const std::string& variant : shown_) {
    Series s{.name = variant, .x = {}, .y = {}};
    for (const long size : c_.sizes) {
      auto here = spread(variant, tuned ? "tuned.top1" : "top1", size);
      if (!here) here = spread(variant, "top1", size);
      const auto [count, mean, deviation] = here.value_or(Spread{0, NAN, 0});
      s.x.push_back(static_cast<double>(size)), s.y.push_back(mean), s.error.push_back(deviation);
      if (count > 0) reach.push_back(mean - deviation), reach.push_back(mean + deviation);
    }
    all.push_back(s);
  }
  std::vector<std::string> charts;
  for (std::size_t begin = 1; begin == 1 || begin < all.size(); begin += kLinesPerChart - 1) {
    std::vector<Series> some{all[0]};
    for (std::size_t i = begin; i < std::min(begin + kLinesPerChart - 1, all.size()); ++i) some.push_back(all[i]);
    charts.push_back(line_charts({{.title = title,
                                   .x_label = "side of the test images, pixels",
                                   .y_label = "%",
                                   .series = some,
                                   .include_y = reach}}));
  }
  return charts;
}

void Report::accuracy(HtmlPage& page) const {
  if (!has("top1")) return;
  page.heading("Accuracy by image size");
  page.paragraph(
      "Each model is shown larger test images than in training without any further training: what falls least "
      "extrapolates best." +
      std::string(c_.seeds == 1 ? "" : " Bars are the standard deviation over seeds."));
  page.charts(charts_of("Top-1 accuracy", false));
  std::vector<Column> columns;
  for (const long size : c_.sizes) columns.push_back({fmt::format("{} px", size), "top1", size});
  table(page, "Top-1 accuracy in percent; the best of each column in bold", columns);
}

void Report::tuned_accuracy(HtmlPage& page) const {
  if (!has("tuned.top1")) return;
  page.heading("With one number tuned");
  page.paragraph(
      "As in the paper, for each size the global slope of LookHere and ALiBi and the base of RoPE were chosen on "
      "training images that were held out. Other encodings have no such number: their curves are those from above.");
  page.charts(charts_of("Top-1 accuracy, tuned", true));
  std::vector<HtmlRow> rows{{HtmlCell("position")}};
  for (const long size : c_.sizes) rows[0].emplace_back(fmt::format("{} px", size));
  for (const std::string& variant : shown_) {
    HtmlRow row{HtmlCell(variant)};
    bool any = false;
    for (const long size : c_.sizes) {
      const auto top1 = spread(variant, "tuned.top1", size), value = spread(variant, "tuned.value", size);
      any = any || top1;
      row.emplace_back(top1 ? fmt::format("{} (at {:.3g})", with_spread(top1), value->mean) : "–");
    }
    if (any) rows.push_back(row);
  }
  page.table("Top-1 accuracy in percent, and the tuned number (its mean over seeds)", rows);
}

void Report::table(HtmlPage& page, const std::string& caption, const std::vector<Column>& columns) const {
  std::vector<HtmlRow> rows{{HtmlCell("position")}};
  std::vector<double> best;
  for (const Column& column : columns) {
    rows[0].emplace_back(column.title);
    best.push_back(NAN);
    for (const std::string& variant : shown_)
      if (const auto s = spread(variant, column.metric, column.size);
          s && !(column.low_is_good ? s->mean >= best.back() : s->mean <= best.back()))
        best.back() = s->mean;
  }
  for (const std::string& variant : shown_) {
    rows.push_back({HtmlCell(variant)});
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto s = spread(variant, columns[i].metric, columns[i].size);
      rows.back().emplace_back(with_spread(s), s && s->mean == best[i]);
    }
  }
  page.table(caption, rows);
}

void Report::beside_the_paper(HtmlPage& page) const {
  std::vector<HtmlRow> rows{{HtmlCell("position")}};
  for (const long size : kPaperSizes)
    rows[0].emplace_back(
        fmt::format("{} px ({:.1f}x)", size, static_cast<double>(size) / static_cast<double>(kPaperSizes[0])));
  for (const std::string& variant : shown_)
    if (const PaperRow* row = paper_row(variant)) {
      rows.push_back({HtmlCell(variant)});
      for (const double top1 : row->top1) rows.back().emplace_back(fmt::format("{:.2f}", top1));
    }
  if (rows.size() == 1) return;
  page.table(
      "The paper's own: ViT-B/16, ImageNet-1k, 150 epochs at 224 px, best of eight runs, top-1 in percent; slopes and "
      "bases tuned for each size (arXiv 2405.13985, table 1)",
      rows);
}

void Report::calibration_and_attacks(HtmlPage& page) const {
  std::vector<Column> columns;
  if (has("ece"))
    for (const long size : std::set{c_.sizes.front(), c_.sizes.back()})
      columns.push_back({fmt::format("ECE, {} px", size), "ece", size, true});
  std::set<std::string> attacks;
  for (const RunResult& run : results_)
    for (const Measurement& m : run.values)
      if (m.metric.starts_with("fgsm")) attacks.insert(m.metric);
  if (columns.empty() && attacks.empty()) return;
  page.heading(attacks.empty() ? "Calibration" : columns.empty() ? "Attacks" : "Calibration and attacks");
  std::string meanings;
  if (!columns.empty()) meanings = "ECE: how far confidence is from accuracy, over 15 bins, in percent: low is good. ";
  if (!attacks.empty())
    meanings +=
        "FGSM: accuracy after every pixel has been changed by at most so many 255ths to raise the loss, at the size "
        "of training.";
  page.paragraph(meanings);
  for (const std::string& metric : attacks) {
    const std::size_t dot = metric.rfind('.');
    columns.push_back(
        {fmt::format("FGSM {}/255, {}", metric.substr(4, dot - 4), metric.substr(dot + 1)), metric, kOwnSide});
  }
  table(page, "In percent; the best of each column in bold", columns);
  std::vector<HtmlRow> rows{{HtmlCell("position"), "ECE", "FGSM 1/255, top5", "FGSM 3/255, top5"}};
  for (const std::string& variant : shown_)
    if (const PaperRow* row = paper_row(variant))
      rows.push_back({HtmlCell(variant), fmt::format("{:.2f}", row->ece), fmt::format("{:.2f}", row->fgsm1_top5),
                      fmt::format("{:.2f}", row->fgsm3_top5)});
  if (rows.size() > 1) page.table("The paper's own, at 224 px (tables 2 and 3)", rows);
}

void Report::robustness(HtmlPage& page) const {
  std::vector<Column> columns{{"shifted", "shifted", kOwnSide}};
  for (const Corruption each : kCorruptions)
    columns.push_back({name_of(each), concat("corrupted.", name_of(each)), kOwnSide});
  std::erase_if(columns, [&](const Column& column) { return !has(column.metric); });
  if (columns.empty()) return;
  page.heading("Shifts and corruptions");
  page.paragraph(
      "Top-1 accuracy where test images are shifted by an eighth of their side (mean over eight directions), and with "
      "noise, blur, less contrast or JPEG of low quality as in ImageNet-C (mean over five strengths).");
  table(page, "In percent, at the size of training; the best of each column in bold", columns);
}

// Charts by layer of what the metrics named "NAME.LAYER" say.
void Report::by_layer(HtmlPage& page) const {
  struct Quantity {
    const char *metric, *title, *y_label;
  };
  std::vector<std::string> charts;
  for (const Quantity& q : {Quantity{"diversity", "Head diversity", "Jensen-Shannon divergence, nats"},
                            {"distance", "Attention distance", "patches"},
                            {"similarity", "Patch similarity", "cosine"},
                            {"lens.miou", "Patch logit lens", "mIoU, %"}}) {
    std::vector<Series> all;
    for (const std::string& variant : shown_) {
      Series s{.name = variant, .x = {}, .y = {}};
      for (long layer = 0;; ++layer) {
        const auto here = spread(variant, fmt::format("{}.{}", q.metric, layer), kOwnSide);
        if (!here) break;
        s.x.push_back(static_cast<double>(layer)), s.y.push_back(here->mean), s.error.push_back(here->deviation);
      }
      if (!s.x.empty()) all.push_back(s);
    }
    for (std::string& chart : a_few_each({.title = q.title, .x_label = "layer", .y_label = q.y_label, .series = all}))
      charts.push_back(std::move(chart));
  }
  if (charts.empty()) return;
  page.heading("What heads and patches do");
  page.paragraph(
      "At the size of training, by layer. Head diversity: how differently the heads of a layer look (0: all alike). "
      "Attention distance: how far they look. Patch similarity: mean cosine of patch tokens. Patch logit lens, where "
      "the data has masks: the classifier applied to each patch token; mean intersection over union on the patches of "
      "the thing.");
  page.charts(charts);
  std::vector<Column> columns{{"diversity", "diversity", kOwnSide},
                              {"distance", "distance", kOwnSide},
                              {"similarity", "similarity", kOwnSide},
                              {"logit lens mIoU, last layer", "lens.miou", kOwnSide}};
  std::erase_if(columns, [&](const Column& column) { return !has(column.metric); });
  table(page, "Means over layers; the highest of each column in bold", columns);
}

void Report::training(HtmlPage& page) const {
  std::vector<Series> losses;
  for (std::size_t i = 0; i < folder_.runs().size(); ++i) {
    const ComparedRun& run = folder_.runs()[i];
    if (run.recipe.seed != c_.recipe.seed) continue;
    Series s{.name = run.variant, .x = {}, .y = {}};
    for (const EpochRow& row : read_summary_so_far(folder_.file(run.folder + "/summary.csv")))
      s.x.push_back(static_cast<double>(row.epoch + 1)), s.y.push_back(row.eval_top1);
    if (!s.x.empty()) losses.push_back(s);
  }
  if (losses.empty()) return;
  page.heading("Training");
  page.charts(a_few_each({.title = "Test accuracy, first seed", .x_label = "epoch", .y_label = "%", .series = losses}));
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
  std::vector<const ComparedRun*> done, kept;
  for (const std::string& variant : shown_) {
    if (const ComparedRun* run = first_done(variant)) done.push_back(run);
    if (const ComparedRun* run = first_done(variant, true)) kept.push_back(run);
  }
  HtmlPage page("Position encodings compared", "lookhere compare: trained alike, judged alike");
  say_what(page);
  accuracy(page);
  tuned_accuracy(page);
  beside_the_paper(page);
  calibration_and_attacks(page);
  robustness(page);
  by_layer(page);
  if (!add_pictures(page, folder_, kept, kept.size() == done.size(), watch)) return "";
  add_masks(page, folder_, done);
  training(page);
  commands(page);
  return page.str();
}

}  // namespace

bool write_report(const ComparisonFolder& folder, const PageWatch& watch) {
  Report report(folder);
  const std::string html = report.page(watch), chart = report.first_chart();
  if (html.empty()) return false;
  write_atomically(folder.file("report.html"), [&](FileWriter& out) { out.write(html); });
  if (!chart.empty()) write_atomically(folder.file("accuracy.svg"), [&](FileWriter& out) { out.write(chart); });
  return true;
}

}  // namespace lookhere
