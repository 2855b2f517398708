// Colour jitter by torchvision's rule: factors from 1 - x to 1 + x, a hue from -x to x, in random order.
#pragma once
#include "tensor/random.h"
#include "vit/data/augment/picture.h"

namespace lookhere {

struct JitterOptions {
  double brightness = 0, contrast = 0, saturation = 0;  // at least 0
  double hue = 0;                                       // 0 to 0.5 of the circle
};

// What is 0 in the options is left alone, and changes nothing of what the others draw.
void colour_jitter(Picture& picture, Rng& rng, const JitterOptions& options);

}  // namespace lookhere
