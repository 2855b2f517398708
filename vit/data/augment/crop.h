// Which part of an image is seen: at random in training, the centre in evaluation.
#pragma once
#include "tensor/random.h"
#include "vit/data/augment/picture.h"
#include "vit/data/resample.h"

namespace lookhere {

struct CropOptions {
  double min_scale = 0.08, max_scale = 1;           // of the image's area
  double min_ratio = 3 / 4.0, max_ratio = 4 / 3.0;  // width by height
};

// torchvision's and timm's RandomResizedCrop: ten tries, then the largest window in the middle whose ratio is allowed.
// The image has some pixels.
Window random_resized_crop(Rng& rng, const CropOptions& options, long height, long width);

// The window, resized. Throws Error if it is not in the image or height or width are not in [1, 65536].
Picture crop_and_resize(const Image& image, const Window& window, Interpolation interpolation, long height, long width);
// The same of an image that has been decoded with fewer pixels: the window is one of the stored size.
Picture crop_and_resize(const Image& image, const Window& window, Extent stored, Interpolation interpolation,
                        long height, long width);

// DeiT III's simple random crop (arXiv 2204.07118): resized so that it just covers height x width, in proportion; four
// pixels around it mirror the image at its border; of that a window, anywhere. Throws Error for sizes out of [5,
// 65536].
Picture simple_random_crop(Rng& rng, const Image& image, Interpolation interpolation, long height, long width);

// What the LookHere release shows a model of a test image: the shorter side becomes `shorter` (256 for models of 224
// pixels, else their own size) and the longer one in proportion, both truncated to whole pixels; of that the
// centre, size x size, with black around it where it is larger. Resized in bytes, as Pillow does: the release resizes
// floats, and differs by at most one grey level. Throws Error for sizes out of [1, 65536].
Picture evaluation_view(const Image& image, long shorter, long size,
                        Interpolation interpolation = Interpolation::bilinear);

// Left becomes right.
void mirror(Picture& picture);

}  // namespace lookhere
