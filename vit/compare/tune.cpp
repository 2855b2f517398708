// A plain search: the optimum is flat, and every try costs a pass over the held-out images.
#include "vit/compare/tune.h"

namespace lookhere {

std::optional<double> best_factor(std::span<const double> factors,
                                  const std::function<Accuracy(double factor)>& accuracy_of) {
  std::optional<double> best;
  Accuracy highest;
  for (const double factor : factors) {
    const Accuracy here = accuracy_of(factor);
    if (here.stopped) return std::nullopt;
    if (best && (here.top1 < highest.top1 || (here.top1 == highest.top1 && here.loss >= highest.loss))) continue;
    best = factor, highest = here;
  }
  return best;
}

}  // namespace lookhere
