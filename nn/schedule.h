// The learning rate as a pure function of the step, so that a resumed run needs no scheduler state.
#pragma once
#include <cmath>
#include <numbers>

namespace lookhere {

struct Schedule {
  double peak = 1e-3, start = 1e-6, end = 1e-5;  // learning rates: at the top, before the warm-up, after the last step
  long warmup_steps = 0, total_steps = 1;

  // Linear warm-up, then half a cosine (Loshchilov & Hutter 2017). step counts from 0.
  double at(long step) const {
    if (step < warmup_steps)
      return start + (peak - start) * static_cast<double>(step) / static_cast<double>(warmup_steps);
    if (step >= total_steps) return end;
    const double done = static_cast<double>(step - warmup_steps) / static_cast<double>(total_steps - warmup_steps);
    return end + (peak - end) * 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
};

}  // namespace lookhere
