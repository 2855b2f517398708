// How a run went, epoch by epoch: curve.svg.
#pragma once
#include <string>
#include <vector>

#include "vit/show/plot.h"
#include "vit/train/log.h"

namespace lookhere {

// Loss and test accuracy. augmented: the training loss is that of augmented images, and the legend says so.
std::vector<Chart> training_charts(const std::vector<EpochRow>& rows, bool augmented);
// Side by side.
std::string training_curve(const std::vector<EpochRow>& rows, bool augmented);

}  // namespace lookhere
