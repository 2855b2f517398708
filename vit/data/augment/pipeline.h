// Training's view of an image: cropped, mirrored, its colours changed, and part of it erased, as the options say. Every
// number depends on seed, epoch and index alone, and what one option draws on no other option. For a loader's threads:
//   normalise(augment(dataset.read(index, buffer), options, seed, epoch, index, height, width), mean, std, out);
#pragma once
#include "vit/data/augment/crop.h"
#include "vit/data/augment/erase.h"
#include "vit/data/augment/jitter.h"
#include "vit/data/augment/timm_rand_augment.h"

namespace lookhere {

enum class CropMode {
  whole,  // the image, resized
  random_resized,
  simple,  // DeiT III's
};

enum class AugmentPolicy {
  none,
  three_augment,  // DeiT III (arXiv 2204.07118): grayscale, or solarized at 128, or blurred with sigma in [0.1, 2)
  rand_augment,   // torchvision's
  timm_rand_augment,
};

struct AugmentOptions {
  CropMode crop_mode = CropMode::whole;
  CropOptions crop = {};  // of random resized ones
  Interpolation interpolation = Interpolation::bicubic;
  double hflip = 0;  // probability of mirroring
  AugmentPolicy policy = AugmentPolicy::none;
  int operations = 2, level = 15;  // of torchvision's RandAugment
  TimmRandAugment timm = {};
  std::vector<std::uint8_t> fill = {};  // (channels), timm's: what its maps bring in from outside of the image
  JitterOptions jitter = {};
  EraseOptions erase = {};
  bool scaled_decoding = false;  // a JPEG larger than its crop needs is decoded at n/8 of its size: see enough_for_crop
};

// LookHere's training (arXiv 2405.13985): a random resized crop, a mirror image, one of 3-Augment's three, and jitter
// of 0.3; and its other run, RandAugment in place of the last two.
AugmentOptions three_augment_options();
AugmentOptions rand_augment_options();

struct Augmented {
  Picture picture;
  Window erased;    // after normalisation, 0 or noise; no pixels: nothing is
  Rng erase_noise;  // with which that noise begins
  bool noise = false;
};

// Of height x width pixels. stored: the image's size where it has been decoded with fewer pixels; none: the image has
// all of them. What is seen of it is drawn from that. Throws Error for options out of range, and for images of neither
// 1 nor 3 channels if colours are to be changed.
Augmented augment(const Image& image, const AugmentOptions& options, std::uint64_t seed, long epoch, long index,
                  long height, long width, Extent stored = {});
// Pixels of the whole image that are enough for augment to crop it without enlarging anything.
Extent enough_for_crop(Extent stored, const AugmentOptions& options, std::uint64_t seed, long epoch, long index,
                       long height, long width);

// As a model takes it: out (channels, height, width) = (pixel / 255 - mean) / std, then erased.
void normalise(const Augmented& augmented, const std::vector<float>& mean, const std::vector<float>& std, float* out);

}  // namespace lookhere
