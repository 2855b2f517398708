// Multiples of the training size are what makes sizes comparable with the paper's.
#include "vit/compare/report_numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "tensor/text.h"
#include "vit/compare/paper.h"
#include "vit/compare/tune.h"
#include "vit/eval/corruption.h"
#include "vit/show/plot.h"

namespace lookhere {
namespace {

constexpr long kOwnSide = 0;          // in place of a size: each variant's own
constexpr double kComparable = 1.25;  // how far apart two multiples of a training size may lie

std::string with_spread(const std::optional<Spread>& spread) {
  if (!spread) return "–";
  const int digits = std::abs(spread->mean) < 5 ? 2 : 1;
  return spread->count < 2 ? fmt::format("{:.{}f}", spread->mean, digits)
                           : fmt::format("{:.{}f} ± {:.{}f}", spread->mean, digits, spread->deviation, digits);
}

// Three digits, but never an exponent for a base of thousands.
std::string tuned_number(double value) {
  return value >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

double paper_multiple(std::size_t place) {
  return static_cast<double>(kPaperSizes[place]) / static_cast<double>(kPaperSizes[0]);
}

struct Column {
  std::string title, metric;
  long size;
  bool low_is_good = false;
  std::string or_else = {};  // the metric that stands in where there is none
  // What the paper has for a variant, in a column of its own behind this one; without a metric alone.
  std::string paper_title = {};
  std::function<double(const PaperRow&)> paper = {};
};

class Numbers {
 public:
  explicit Numbers(const ReportedNumbers& numbers) : n_(numbers) {}
  std::vector<std::string> charts_of(const std::string& title, bool tuned) const;
  void accuracy(HtmlPage& page) const;
  void tuned_accuracy(HtmlPage& page) const;
  void beside_the_paper(HtmlPage& page) const;
  void calibration_and_attacks(HtmlPage& page) const;
  void robustness(HtmlPage& page) const;
  void by_layer(HtmlPage& page) const;
  bool has(const std::string& metric) const { return has_metric(n_.results, metric); }

 private:
  const ViTConfig& model(const std::string& variant) const {
    return n_.models[std::ranges::find(n_.variants, variant) - n_.variants.begin()];
  }
  // Of training; the first variant's where they differ.
  long base_side() const { return n_.models[0].height; }
  double multiple(long size) const { return static_cast<double>(size) / static_cast<double>(base_side()); }
  std::string in_pixels(long size) const { return fmt::format("{} px, {:.1f}x", size, multiple(size)); }
  std::optional<Spread> spread(const std::string& variant, const std::string& metric, long size) const {
    return spread_of(n_.results, variant, metric, size == kOwnSide ? model(variant).height : size);
  }
  std::optional<Spread> tuned_or_not(const std::string& variant, long size) const {
    const auto tuned = spread(variant, "tuned.top1", size);
    return tuned ? tuned : spread(variant, "top1", size);
  }
  bool has_tuned(const std::string& variant) const {
    return std::ranges::any_of(n_.sizes, [&](long size) { return spread(variant, "tuned.top1", size).has_value(); });
  }
  std::string tuned_value(const std::string& variant, long size) const;
  void table(HtmlPage& page, const std::string& caption, const std::vector<Column>& columns,
             const std::vector<std::string>& variants, const char* in_bold = "best") const;

  const ReportedNumbers& n_;
};

// Top-1 by size.
std::vector<std::string> Numbers::charts_of(const std::string& title, bool tuned) const {
  Chart chart{.title = title, .x_label = "side of the test images, pixels", .y_label = "%", .series = {}};
  for (const std::string& variant : n_.variants) {
    Series s{.name = variant, .x = {}, .y = {}};
    for (const long size : n_.sizes) {
      const auto here = tuned ? tuned_or_not(variant, size) : spread(variant, "top1", size);
      const auto [count, mean, deviation] = here.value_or(Spread{0, NAN, 0});
      s.x.push_back(static_cast<double>(size)), s.y.push_back(mean), s.error.push_back(deviation);
    }
    chart.series.push_back(s);
  }
  return charts_of_a_few(chart);
}

void Numbers::accuracy(HtmlPage& page) const {
  if (!has("top1")) return;
  page.heading("Accuracy by image size");
  std::string text =
      "Each model is shown larger test images than in training without any further training: what falls least "
      "extrapolates best.";
  if (std::ranges::any_of(n_.results, [&](const RunResult& r) { return r.seed != n_.results[0].seed; }))
    text += " Bars are the standard deviation over seeds.";
  if (std::ranges::any_of(n_.models, [&](const ViTConfig& m) { return m.height != base_side(); }))
    text += fmt::format(" 1.0x is {} px, the training size of {}.", base_side(), n_.variants[0]);
  page.paragraph(text);
  page.charts(charts_of("Top-1 accuracy", false));
  std::vector<Column> columns;
  for (const long size : n_.sizes) columns.push_back({in_pixels(size), "top1", size});
  table(page, "Top-1 accuracy in percent, by image size and its multiple of the training size", columns, n_.variants);
}

// Its mean over seeds, and whether a wider search might have found a better one.
std::string Numbers::tuned_value(const std::string& variant, long size) const {
  const auto [option, own, factors] = model(variant).position->tunable().value_or(TunableNumber{"", NAN, {NAN}});
  const auto [low, high] = std::ranges::minmax(factors);
  const auto is_near = [](double a, double b) { return std::abs(a - b) <= 1e-6 * std::abs(b); };
  long all = 0, lowest = 0, highest = 0;
  for (const RunResult& run : n_.results)
    for (const Measurement& m : run.values)
      if (run.variant == variant && m.metric == "tuned.value" && m.size == size)
        ++all, lowest += is_near(m.value, own * low), highest += is_near(m.value, own * high);
  std::string text = tuned_number(spread(variant, "tuned.value", size)->mean);
  for (const auto& [count, name] : {std::pair{lowest, "smallest"}, {highest, "largest"}})
    if (count > 0)
      text += fmt::format(", {}the {} tried", count < all ? fmt::format("{} of {} seeds ", count, all) : "", name);
  return text;
}

void Numbers::tuned_accuracy(HtmlPage& page) const {
  if (!has("tuned.top1")) return;
  page.heading("With one number tuned");
  std::vector<std::pair<std::string, std::vector<std::string>>> tuned;  // options, and the variants that have them
  for (const std::string& variant : n_.variants) {
    const auto number = model(variant).position->tunable();
    if (!number || !has_tuned(variant)) continue;
    const std::string option = concat("--", number->option);
    auto at = std::ranges::find(tuned, option, [](const auto& each) { return each.first; });
    if (at == tuned.end()) at = tuned.insert(at, {option, {}});
    at->second.push_back(variant);
  }
  std::string named;
  for (const auto& [option, variants] : tuned)
    named += concat(named.empty() ? "" : "; ", option, " of ", joined(variants));
  page.paragraph(
      "As the paper does with slopes and bases: for each size one number of the encoding was chosen on training images "
      "that were held out, of eight values. It is " +
      named + ". Other encodings have none: their curves are those from above.");
  page.charts(charts_of("Top-1 accuracy, tuned", true));
  std::vector<long> sizes;
  for (const long size : n_.sizes)
    if (std::ranges::any_of(n_.variants, [&](const auto& v) { return spread(v, "tuned.top1", size).has_value(); }))
      sizes.push_back(size);
  std::vector<HtmlRow> rows{{HtmlCell("position")}};
  for (const long size : sizes) rows[0].emplace_back(in_pixels(size));
  for (const std::string& variant : n_.variants) {
    if (!has_tuned(variant)) continue;
    rows.push_back({HtmlCell(variant)});
    for (const long size : sizes) {
      const auto top1 = spread(variant, "tuned.top1", size);
      rows.back().emplace_back(top1 ? fmt::format("{} (at {})", with_spread(top1), tuned_value(variant, size)) : "–");
    }
  }
  page.table("Top-1 accuracy in percent, and the tuned number (its mean over seeds)", rows);
}

void Numbers::table(HtmlPage& page, const std::string& caption, const std::vector<Column>& columns,
                    const std::vector<std::string>& variants, const char* in_bold) const {
  std::vector<HtmlRow> rows{{HtmlCell("position")}};
  for (const std::string& variant : variants) rows.push_back({HtmlCell(variant)});
  const auto add_column = [&](const std::string& title, const auto& cell_of) {
    rows[0].emplace_back(title);
    for (std::size_t i = 0; i < variants.size(); ++i) rows[i + 1].push_back(cell_of(i));
  };
  for (const Column& column : columns) {
    std::vector<std::optional<Spread>> numbers;
    double best = NAN;
    for (const std::string& variant : variants) {
      auto s = spread(variant, column.metric, column.size);
      if (!s && !column.or_else.empty()) s = spread(variant, column.or_else, column.size);
      numbers.push_back(s);
      if (s && !(column.low_is_good ? s->mean >= best : s->mean <= best)) best = s->mean;
    }
    if (!column.metric.empty())
      add_column(column.title, [&](std::size_t i) {
        return HtmlCell(with_spread(numbers[i]), variants.size() > 1 && numbers[i] && numbers[i]->mean == best);
      });
    const auto paper = [&](const std::string& variant) {
      const PaperRow* row = column.paper ? paper_row(variant) : nullptr;
      return row ? column.paper(*row) : NAN;
    };
    if (std::ranges::any_of(variants, [&](const auto& v) { return std::isfinite(paper(v)); }))
      add_column(column.paper_title, [&](std::size_t i) {
        const double value = paper(variants[i]);
        return HtmlCell(std::isfinite(value) ? fmt::format("{:.2f}", value) : "–");
      });
  }
  page.table(caption + (variants.size() > 1 ? concat("; the ", in_bold, " of each column in bold") : ""), rows);
}

// Each of the paper's sizes next to the nearest of ours, by their multiples of the training size.
void Numbers::beside_the_paper(HtmlPage& page) const {
  std::vector<std::string> variants;
  for (const std::string& variant : n_.variants)
    if (paper_row(variant)) variants.push_back(variant);
  if (variants.empty() || !has("top1")) return;
  const auto apart = [&](long size, std::size_t place) {
    return std::abs(std::log(multiple(size) / paper_multiple(place)));
  };
  std::map<long, std::size_t> paper_at;  // by our size
  for (std::size_t place = 0; place < kPaperSizes.size(); ++place) {
    if (std::ranges::none_of(variants, [&](const auto& v) { return std::isfinite(paper_row(v)->top1[place]); }))
      continue;
    const long size = *std::ranges::min_element(n_.sizes, {}, [&](long each) { return apart(each, place); });
    if (apart(size, place) > std::log(kComparable)) continue;
    const auto there = paper_at.try_emplace(size, place).first;
    if (apart(size, place) < apart(size, there->second)) there->second = place;
  }
  std::vector<Column> columns;
  columns.reserve(paper_at.size() + 1);
  for (const auto& [size, at] : paper_at)
    columns.push_back({.title = in_pixels(size),
                       .metric = "tuned.top1",
                       .size = size,
                       .or_else = "top1",
                       .paper_title = fmt::format("paper, {:.1f}x", paper_multiple(at)),
                       .paper = [place = at](const PaperRow& row) { return row.top1[place]; }});
  if (columns.empty()) return;
  if (std::ranges::find(paper_at, kPaperSizes.size() - 1, [](const auto& each) { return each.second; }) !=
      paper_at.end())
    columns.push_back({.title = "",
                       .metric = "",
                       .size = 0,
                       .paper_title = "paper, 4.6x, ImageNet-HR",
                       .paper = [](const PaperRow& row) { return row.hr1024; }});
  page.heading("Beside the paper's numbers");
  page.paragraph(
      "The paper's models (arXiv 2405.13985, tables 1, 12 and 13): ViT-B/16, ImageNet-1k, 150 epochs at 224 px, the "
      "best "
      "of eight runs or, of its ablations, one. Slopes and bases were tuned for each size, and are so here where there "
      "is a tuned number above.");
  table(page, "Top-1 accuracy in percent, at the nearest multiples of the training size", columns, variants);
}

void Numbers::calibration_and_attacks(HtmlPage& page) const {
  std::vector<Column> columns;
  if (has("ece"))
    for (const long size : std::set{n_.sizes.front(), n_.sizes.back()}) {
      columns.push_back({.title = "ECE, " + in_pixels(size), .metric = "ece", .size = size, .low_is_good = true});
      if (size == base_side()) columns.back().paper = [](const PaperRow& row) { return row.ece; };
    }
  std::set<std::string> attacks;
  for (const RunResult& run : n_.results)
    for (const Measurement& m : run.values)
      if (m.metric.starts_with("fgsm") || m.metric.starts_with("pgd")) attacks.insert(m.metric);
  if (columns.empty() && attacks.empty()) return;
  page.heading(attacks.empty() ? "Calibration" : columns.empty() ? "Attacks" : "Calibration and attacks");
  std::string meanings;
  if (!columns.empty()) meanings = "ECE: how far confidence is from accuracy, over 15 bins, in percent: low is good. ";
  if (!attacks.empty())
    meanings +=
        "FGSM: accuracy after every pixel has been changed by at most so many 255ths to raise the loss, at the size "
        "of training; PGD: the same in several small steps. ";
  if (std::ranges::any_of(n_.variants, paper_row)) meanings += "The paper's, at its size of training: tables 2 and 3.";
  page.paragraph(meanings);
  for (const std::string& metric : attacks) {
    const std::size_t number = metric.find_first_of("0123456789"), dot = metric.rfind('.');
    columns.push_back({fmt::format("{} {}/255, {}", number == 4 ? "FGSM" : "PGD", metric.substr(number, dot - number),
                                   metric.substr(dot + 1)),
                       metric, kOwnSide});
    if (metric == "fgsm1.top5") columns.back().paper = [](const PaperRow& row) { return row.fgsm1_top5; };
    if (metric == "fgsm3.top5") columns.back().paper = [](const PaperRow& row) { return row.fgsm3_top5; };
  }
  for (Column& column : columns) column.paper_title = "paper";
  table(page, "In percent", columns, n_.variants);
}

void Numbers::robustness(HtmlPage& page) const {
  std::vector<Column> columns{{"shifted", "shifted", kOwnSide}};
  for (const Corruption each : kCorruptions)
    columns.push_back({name_of(each), concat("corrupted.", name_of(each)), kOwnSide});
  std::erase_if(columns, [&](const Column& column) { return !has(column.metric); });
  if (columns.empty()) return;
  page.heading("Shifts and corruptions");
  page.paragraph(
      "Top-1 accuracy where test images are shifted by an eighth of their side (mean over eight directions), and with "
      "noise, blur, less contrast or JPEG of low quality as in ImageNet-C (mean over five strengths).");
  table(page, "In percent, at the size of training", columns, n_.variants);
}

// Charts by layer of what the metrics named "NAME.LAYER" say.
void Numbers::by_layer(HtmlPage& page) const {
  struct Quantity {
    const char *metric, *title, *y_label;
  };
  std::vector<std::string> charts;
  for (const Quantity& q : {Quantity{"diversity", "Head diversity", "Jensen-Shannon divergence, nats"},
                            {"distance", "Attention distance", "patches"},
                            {"similarity", "Patch similarity", "cosine"},
                            {"lens.miou", "Patch logit lens", "mIoU, %"}}) {
    Chart chart{.title = q.title, .x_label = "layer", .y_label = q.y_label, .series = {}};
    for (const std::string& variant : n_.variants) {
      Series s{.name = variant, .x = {}, .y = {}};
      for (long layer = 0;; ++layer) {
        const auto here = spread(variant, fmt::format("{}.{}", q.metric, layer), kOwnSide);
        if (!here) break;
        s.x.push_back(static_cast<double>(layer)), s.y.push_back(here->mean), s.error.push_back(here->deviation);
      }
      if (!s.x.empty()) chart.series.push_back(s);
    }
    std::ranges::move(charts_of_a_few(chart), std::back_inserter(charts));
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
  table(page, "Means over layers", columns, n_.variants, "highest");
}

}  // namespace

void add_numbers(HtmlPage& page, const ReportedNumbers& numbers) {
  const Numbers n(numbers);
  n.accuracy(page);
  n.tuned_accuracy(page);
  n.beside_the_paper(page);
  n.calibration_and_attacks(page);
  n.robustness(page);
  n.by_layer(page);
}

std::string first_accuracy_chart(const ReportedNumbers& numbers) {
  const Numbers n(numbers);
  return n.has("top1") ? n.charts_of("Top-1 accuracy", false)[0] : "";
}

}  // namespace lookhere
