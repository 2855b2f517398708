// A part of a data set.
#pragma once
#include "vit/data/dataset.h"

namespace lookhere {

// `count` of its images, in its order: of each class as many as its share of them, to one more or less, evenly spread
// over those of the class. All images for a count of 0 or one that the set does not exceed.
Dataset subset(Dataset data, long count);

struct Split {
  Dataset kept, held;
};
// held: the subset of round(share * size) images; kept: all others, in their order. Nothing is held of a share of 0.
// Throws Error for shares below 0 or above one half.
Split hold_out(Dataset data, double share);

}  // namespace lookhere
