// From the size of image that a user asks for to one that a model takes.
#pragma once
#include "vit/model/preprocessing.h"
#include "vit/model/vit.h"

namespace lookhere {

// Of one side, in pixels.
struct InputSide {
  long resized;  // what an image is resized to
  long seen;     // what the model then sees of it, a multiple of the patch: less where it is cropped, more where padded
};
// Throws Error if asked or patch are below 1, or where cropping would leave no patch.
InputSide input_side(long asked, long patch, SizeRule rule);

// Images of sizes of their own, resized to `side`: cropped as in training at the model's side alone, at all others not
// at all (the paper's evaluation: crop ratio 0.875 at 224 px, else 1).
void crop_for_side(Dataset& images, const ViTConfig& model, long side);

// Images [b, c, y, x], normalised, f32, in host memory or on a device: cut to their centre, or with zeros, the mean
// colour, at the right and below.
Tensor fitted(const Tensor& images, long height, long width);

}  // namespace lookhere
