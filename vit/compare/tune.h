// The number of an encoding that suits an image size best: LookHere's global slope, RoPE's base (the paper, A.4.4), the
// scale of others' offsets (TunableNumber).
#pragma once
#include <functional>
#include <optional>
#include <span>

#include "vit/eval/accuracy.h"

namespace lookhere {

// The factor with the highest top-1 and, of several, the lowest loss. accuracy_of: on images that are neither tested
// nor trained with. Nothing if it was stopped.
std::optional<double> best_factor(std::span<const double> factors,
                                  const std::function<Accuracy(double factor)>& accuracy_of);

}  // namespace lookhere
