// Test images with what the model took them for.
#pragma once
#include <string>
#include <vector>

#include "vit/data/dataset.h"

namespace lookhere {

struct Prediction {
  long index;         // of the image in the data set
  long predicted;     // class
  float probability;  // of that class
};

// A grid of images in the order given: green and ✓ where the class is right, red and ✗ with the true class where it is
// wrong, grey where the label is negative: not known. Images with 3 and more channels are shown by the first three as
// red, green and blue, others by the first as grey. Throws Error for an image or a class that does not exist.
std::string gallery_svg(const Dataset& dataset, const std::vector<Prediction>& predictions);

}  // namespace lookhere
