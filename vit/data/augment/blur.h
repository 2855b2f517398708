// Gaussian blur as Pillow's ImageFilter.GaussianBlur: three box blurs each way (Gwosdek et al. 2011), in bytes.
#pragma once
#include "vit/data/augment/picture.h"

namespace lookhere {

// sigma is the Gaussian's standard deviation in pixels, which Pillow calls radius, in [0, 1000].
void gaussian_blur(Picture& picture, double sigma);

}  // namespace lookhere
