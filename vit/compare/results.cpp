// A number stands in results.csv with six digits: more would be noise of other processors' last bits.
#include "vit/compare/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "vit/compare/run.h"
#include "vit/show/text.h"

namespace lookhere {

std::vector<RunResult> results_of(const Comparison& comparison, const std::string& folder) {
  std::vector<RunResult> results;
  for (const ComparedRun& run : runs_of(comparison))
    results.push_back({run.variant, run.recipe.seed, measurements_of(comparison, run, folder).all()});
  return results;
}

std::string csv_lines(const std::string& position, const std::string& seed, std::vector<Measurement> values) {
  std::ranges::sort(values, {}, [](const Measurement& m) { return std::tuple(m.metric, m.size); });
  const char* quote = position.find_first_of(",\"\n") != position.npos ? "\"" : "";
  std::string name, csv;
  for (const char c : position) name += c == '"' ? "\"\"" : std::string(1, c);
  for (const Measurement& m : values)
    csv += fmt::format("{0}{1}{0},{2},{3},{4},{5:.6g}\n", quote, name, seed, m.metric, m.size, m.value);
  return csv;
}

std::string to_csv(const std::vector<RunResult>& results) {
  std::string csv = kResultsHeader;
  for (const RunResult& run : results) csv += csv_lines(run.variant, std::to_string(run.seed), run.values);
  return csv;
}

std::optional<Spread> spread_of(const std::vector<RunResult>& results, const std::string& variant,
                                const std::string& metric, long size) {
  std::vector<double> values;
  for (const RunResult& run : results)
    for (const Measurement& m : run.values)
      if (run.variant == variant && m.metric == metric && m.size == size) values.push_back(m.value);
  if (values.empty()) return std::nullopt;
  const auto count = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  for (const double v : values) squares += (v - sum / count) * (v - sum / count);
  return Spread{static_cast<long>(values.size()), sum / count,
                values.size() > 1 ? std::sqrt(squares / (count - 1)) : 0};
}

bool has_metric(const std::vector<RunResult>& results, const std::string& metric) {
  return std::ranges::any_of(results, [&](const RunResult& run) {
    return std::ranges::find(run.values, metric, &Measurement::metric) != run.values.end();
  });
}

std::string accuracy_table(const Comparison& comparison, const std::vector<RunResult>& results, bool unicode) {
  long widest = 8;
  for (const std::string& variant : comparison.variants) widest = std::max(widest, columns(one_line(variant)));
  std::string table = fmt::format("{:<{}}", "top-1 %", widest);
  std::vector<double> best;
  for (const long size : comparison.sizes) {
    table += fmt::format("  {:>12}", fmt::format("{} px", size));
    best.push_back(-1);
    for (const std::string& variant : comparison.variants)
      if (const auto spread = spread_of(results, variant, "top1", size))
        best.back() = std::max(best.back(), spread->mean);
  }
  table += "\n";
  for (const std::string& variant : comparison.variants) {
    const std::string name = one_line(variant);
    table += name + std::string(static_cast<std::size_t>(widest - columns(name)), ' ');
    for (std::size_t i = 0; i < comparison.sizes.size(); ++i) {
      const auto spread = spread_of(results, variant, "top1", comparison.sizes[i]);
      const std::string number =
          !spread             ? "-"
          : spread->count < 2 ? fmt::format("{:.1f}", spread->mean)
                              : fmt::format("{:.1f}{}{:.1f}", spread->mean, unicode ? "±" : "+-", spread->deviation);
      const bool leads = spread && spread->mean == best[i];
      table +=
          std::string(static_cast<std::size_t>(std::max(0L, 13 - columns(number))), ' ') + number + (leads ? "*" : " ");
    }
    while (table.back() == ' ') table.pop_back();
    table += "\n";
  }
  return table;
}

}  // namespace lookhere
