// "glyphs": letters and digits in many typefaces, tested on families that were not trained with, at any resolution.
#pragma once
#include "vit/data/sources.h"

namespace lookhere {

// options.glyphs_train or glyphs_test images (1, glyphs_size, glyphs_size) in 46 classes (vit/data/glyphs/scene.h).
// Image i is the same scene at any size. Throws Error if a number is out of range, the set would exceed 16 GiB, or a
// font is not there or cannot be read.
Dataset make_glyphs(bool train, const DatasetOptions& options);

}  // namespace lookhere
