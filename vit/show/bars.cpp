// Bars in eighths of a column where the locale has them.
#include "vit/show/bars.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

namespace lookhere {
namespace {

constexpr long kBar = 30, kLongestName = 28;  // columns

std::string bar(double share, bool unicode) {
  static const char* const eighths[]{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const long parts = unicode ? 8 : 1;
  const auto filled = static_cast<long>(std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(kBar * parts)));
  const std::string text = repeat(unicode ? "█" : "#", filled / parts) + eighths[filled % parts];
  return text + std::string(static_cast<std::size_t>(kBar - columns(text)), ' ');
}

}  // namespace

std::string top_k_bars(const std::vector<std::string>& names, const std::vector<float>& probabilities, long k,
                       bool unicode) {
  check(k >= 1, "top_k_bars: k must be at least 1, got ", k);
  check(names.size() == probabilities.size(), "top_k_bars: ", names.size(), " names for ", probabilities.size(),
        " probabilities");
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](std::size_t i) { return std::isnan(probabilities[i]) ? -1.0F : probabilities[i]; };
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return rank(a) > rank(b); });
  order.resize(std::min(order.size(), static_cast<std::size_t>(k)));

  std::vector<std::string> labels;
  long widest = 0;
  for (const std::size_t i : order) {
    labels.push_back(clip(one_line(names[i]), kLongestName, unicode));
    widest = std::max(widest, columns(labels.back()));
  }
  std::string lines;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto p = static_cast<double>(probabilities[order[i]]);
    lines += fmt::format("{}{}  {}  {:>5.1f} %\n", labels[i],
                         std::string(static_cast<std::size_t>(widest - columns(labels[i])), ' '),
                         bar(std::isnan(p) ? 0 : p, unicode), 100 * p);
  }
  return lines;
}

}  // namespace lookhere
