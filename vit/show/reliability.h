// A reliability diagram as SVG: how often answers are right, by how sure the model is of them.
#pragma once
#include <string>

#include "vit/eval/calibration.h"

namespace lookhere {

// A bar for each bin with answers, as high as its accuracy; the gap to its mean confidence in another colour; the
// diagonal on which a calibrated model's bars end; below, the share of all answers in each bin. confidence: what the
// axis calls it, as "softmax".
std::string reliability_diagram(const Calibration& calibration, const std::string& confidence);

}  // namespace lookhere
