// The smallest round step that gives few enough ticks.
#include "vit/show/ticks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lookhere {

Ticks nice_ticks(double low, double high, long most, bool whole) {
  const double wanted = (high - low) / static_cast<double>(most);
  const double power = std::pow(10, std::floor(std::log10(wanted)));
  double step = 10 * power;
  for (const double factor : {5, 2, 1})
    if (factor * power >= wanted * (1 - 1e-9)) step = factor * power;
  if (whole) step = std::max(step, 1.0);

  Ticks ticks;
  const double largest = std::max(std::abs(low), std::abs(high));
  const bool scientific = largest >= 1e6 || step < 1e-4;
  const auto decimals = static_cast<int>(std::max(0.0, std::ceil(-std::log10(step) - 1e-9)));
  const double first = std::ceil(low / step - 1e-6), last = std::floor(high / step + 1e-6);
  for (double i = first; i <= last && ticks.values.size() <= static_cast<std::size_t>(most); ++i) {
    const double value = i == 0 ? 0 : i * step;  // no -0
    ticks.values.push_back(value);
    ticks.labels.push_back(scientific ? fmt::format("{:.4g}", value) : fmt::format("{:.{}f}", value, decimals));
  }
  return ticks;
}

}  // namespace lookhere
