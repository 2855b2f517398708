// Random erasing (arXiv 1708.04896) by timm's rule: one rectangle of a normalised image becomes 0, the mean colour, or
// noise.
#pragma once
#include "tensor/random.h"
#include "vit/data/augment/picture.h"

namespace lookhere {

struct EraseOptions {
  double probability = 0;
  double min_area = 0.02, max_area = 1 / 3.0;     // of the image's
  double min_aspect = 0.3, max_aspect = 1 / 0.3;  // height by width
  bool noise = false;                             // timm's mode "pixel": a standard normal number for every value
};

// Ten tries; a window without pixels if none fits or, with probability 1 - options.probability, nothing is erased. At
// least one row and one column are left.
Window erased_window(Rng& rng, const EraseOptions& options, long height, long width);

// Erases the window of image (channels, height, width).
void erase(float* image, long channels, long height, long width, const Window& window, bool noise, Rng& rng);

}  // namespace lookhere
