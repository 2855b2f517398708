// RandAugment (arXiv 1909.13719) with torchvision's 14 operations and their strengths.
#pragma once
#include "tensor/random.h"
#include "vit/data/augment/picture.h"

namespace lookhere {

inline constexpr int kRandAugmentOperations = 14, kRandAugmentLevels = 31;

// Operation 0 to 13 in torchvision's order: identity, shear in x and y, shift in x and y, rotation, brightness,
// saturation, contrast, sharpness, posterize, solarize, auto-contrast, equalize. The level, 0 to 30, says how strong;
// `negative` turns around the first nine that have a direction. What comes from outside of the image is black.
// The strengths of torch.linspace are rounded otherwise on some machines: then some pixels differ by a grey level.
void rand_augment_operation(Picture& picture, int operation, int level, bool negative);

// This many operations, drawn one after another.
void rand_augment(Picture& picture, Rng& rng, int operations, int level);

}  // namespace lookhere
