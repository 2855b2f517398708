// RandAugment (arXiv 1909.13719) as timm has it: other operations and strengths than torchvision's, each used with a
// probability, magnitudes with noise; and timm's way of saying so, "rand-m9-mstd0.5-inc1", which DeiT made known.
#pragma once
#include <string>

#include "tensor/random.h"
#include "vit/data/augment/affine.h"

namespace lookhere {

struct TimmRandAugment {
  double magnitude = 10;     // m
  int operations = 2;        // n
  double probability = 0.5;  // p: that one of them is used
  double deviation = 0;      // mstd: standard deviation of the magnitude; above 100 it is uniform up to m instead
  double most = 10;          // mmax: magnitudes are cut to [0, mmax]
  bool increasing = false;   // inc: a larger magnitude is stronger for every operation
};

// "rand", then sections in any order, each at most once: -m9 -n2 -p0.5 -mstd0.5 -mmax10 -inc1. timm's -t (other sets of
// operations) is refused. Throws Error, naming --aa, for all else.
TimmRandAugment timm_rand_augment_from_text(const std::string& text);

inline constexpr int kTimmOperations = 15;

// Operation 0 to 14 in timm's order: auto-contrast, equalize, invert, rotation, posterize, solarize, add to what is
// dark, saturation, contrast, brightness, sharpness, shear in x and y, shift in x and y. `negative` turns around those
// that have a direction: the maps and, with `increasing`, saturation to sharpness.
void timm_operation(Picture& picture, int operation, double magnitude, bool increasing, bool negative,
                    const Sampling& sampling);

void timm_rand_augment(Picture& picture, Rng& rng, const TimmRandAugment& options, const Sampling& sampling);

}  // namespace lookhere
