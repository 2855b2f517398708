// Mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899) of a batch, switched as timm does in its batch mode: image i
// is mixed with image batch - 1 - i, all with the same lambda. Everything follows from seed and step.
#pragma once
#include "tensor/dtype.h"
#include "tensor/random.h"
#include "vit/data/augment/picture.h"

namespace lookhere {

struct MixOptions {
  double mixup_alpha = 0, cutmix_alpha = 0;  // of Beta(alpha, alpha), up to 1000; 0: never
  double probability = 1;                    // that a batch is mixed at all
  double switch_probability = 0.5;           // of CutMix where both alphas are above 0
};

struct Mix {
  double lambda = 1;  // the share of an image's own label
  bool cutmix = false;
  Window box = {};  // CutMix: what comes from the other image; 1 - lambda is its share of the area
};

// For images of height x width pixels. Throws Error for options out of range.
Mix draw_mix(const MixOptions& options, std::uint64_t seed, long step, long height, long width);

// Mixes images (batch, channels, height, width) in place.
void mix_images(const Mix& mix, float* images, long batch, long channels, long height, long width);

// out (batch, classes): lambda of the own label and 1 - lambda of the other's, of which label smoothing spreads a part
// over all classes, so that each row's sum is 1. Throws Error for a label that is no class.
void soft_targets(const Mix& mix, double smoothing, const i64* labels, long batch, long classes, float* out);

// Beta(alpha, alpha), for alpha above 0.
double draw_beta(Rng& rng, double alpha);

}  // namespace lookhere
