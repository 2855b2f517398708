// The number of an encoding that suits an image size best: LookHere's global slope, RoPE's base (the paper, A.4.4).
#pragma once
#include <array>
#include <functional>
#include <optional>

#include "vit/eval/accuracy.h"

namespace lookhere {

// What is tried, by the number of training: the paper found 0.6 to 1 for LookHere, 1 to 1.6 for ALiBi and 1 to 12.5 for
// RoPE, for images up to 4.6 times as large.
inline constexpr std::array<double, 8> kTuningFactors{0.25, 0.5, 0.7, 1, 1.4, 2, 4, 12.5};

// The factor with the highest top-1 and, of several, the lowest loss. accuracy_of: on images that are neither tested
// nor trained with. Nothing if it was stopped.
std::optional<double> best_factor(const std::function<Accuracy(double factor)>& accuracy_of);

}  // namespace lookhere
