// The learning rate as a pure function of the step, so that a resumed run needs no scheduler state.
#pragma once
#include <cmath>
#include <numbers>

namespace lookhere {

struct Schedule {
  double peak = 1e-3, start = 1e-6, end = 1e-5;  // learning rates: at the top, before the warm-up, after the last step
  long warmup_steps = 0, total_steps = 1;
  // The cosine spans all steps and the warm-up stands in place of its first ones, as in timm; it then begins below the
  // peak. Else it begins at the peak, after the warm-up.
  bool cosine_from_start = false;

  // Linear warm-up, then half a cosine (Loshchilov & Hutter 2017). step counts from 0; a part of one stands for
  // part of a batch.
  double at(double step) const {
    const auto warmup = static_cast<double>(warmup_steps), total = static_cast<double>(total_steps);
    if (step < warmup) return start + (peak - start) * step / warmup;
    if (step >= total) return end;
    const double first = cosine_from_start ? 0 : warmup, done = (step - first) / (total - first);
    return end + (peak - end) * 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
};

}  // namespace lookhere
