// A part of a data set.
#pragma once
#include "vit/data/dataset.h"

namespace lookhere {

// `count` of its images, evenly spread over it and in its order: image i is image i * size / count of the set. All of
// them for a count of 0 or one that the set does not exceed.
Dataset subset(Dataset data, long count);

struct Split {
  Dataset kept, held;
};
// held: the subset of round(share * size) images; kept: all others, in their order. Nothing is held of a share of 0.
// Throws Error for shares below 0 or above one half.
Split hold_out(Dataset data, double share);

}  // namespace lookhere
