// "shapes": a drawn data set that needs no files and can be had at any resolution (vit/data/scene.h). Classes are
// directions between two things, wherever they are: what LookHere's heads are made to see.
#pragma once
#include "vit/data/sources.h"

namespace lookhere {

// options.shapes_train or shapes_test images (3, shapes_size, shapes_size) in 8 classes, "north", "north-east" and so
// on clockwise. Throws Error if a number is not at least 1 or the set would exceed 16 GiB.
Dataset make_shapes(bool train, const DatasetOptions& options);

}  // namespace lookhere
