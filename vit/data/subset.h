// A part of a data set.
#pragma once
#include "vit/data/dataset.h"

namespace lookhere {

// `count` of its images, evenly spread over it and in its order: image i is image i * size / count of the set. All of
// them for a count of 0 or one that the set does not exceed.
Dataset subset(Dataset data, long count);

}  // namespace lookhere
