// From 8-bit pixels to normalised floats, with the augmentation of small-image recipes: a random crop and a mirror
// image.
#pragma once
#include "vit/data/image.h"

namespace lookhere {

// A stored byte as a model sees it: (byte / 255 - mean) / std.
struct Normalise {
  float scale, black;
  Normalise(float mean, float std) : scale(1 / (255 * std)), black(-mean / std) {}
  float operator()(float byte) const { return byte * scale + black; }
};

struct Augment {
  long crop_padding = 0;  // pixels of black around the image, from which a window of the image's size is cut
  double hflip = 0;       // probability of mirroring left and right
};

// What happens to one image: crop first, then mirror.
struct View {
  long dy = 0, dx = 0;  // the window's corner in the image, in [-crop_padding, crop_padding]
  bool mirrored = false;
};

// Depends on nothing but its arguments: not on threads, nor on which images were drawn before.
View draw_view(const Augment& augment, std::uint64_t seed, long epoch, long index);

// out (c, h, w) = (pixel / 255 - mean) / std, mean and std (c). Outside the image pixels are 0 before normalisation, as
// torchvision's RandomCrop(padding=p) has it.
void normalise(const Image& image, const std::vector<float>& mean, const std::vector<float>& std, float* out,
               const View& view = {});

}  // namespace lookhere
