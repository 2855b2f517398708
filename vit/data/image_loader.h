// ImageLoader: from a stored image of any size to what a model takes: cropped, mirrored, normalised, resized.
#pragma once
#include <vector>

#include "vit/data/augment.h"
#include "vit/data/augment/pipeline.h"
#include "vit/data/dataset.h"
#include "vit/data/resize.h"

namespace lookhere {

// For one thread. Its memory is taken once where all images have one size, and else grows with the largest.
class ImageLoader {
 public:
  // Of height x width pixels, both >= 1. The data set must outlive the loader.
  ImageLoader(const Dataset& dataset, long height, long width);
  // Image `index` to out (channels, height, width), as the data set says for test images. Throws Error if there is no
  // such image, it cannot be read, or a part of it is to be cut out and is not to be square.
  void load(long index, float* out, const View& view = {});
  // The same augmented, as training sees it in this epoch.
  void load_augmented(long index, float* out, const AugmentOptions& options, std::uint64_t seed, long epoch);

 private:
  const Resize& resize_from(long height, long width);

  const Dataset* dataset_;
  long height_, width_;
  std::vector<std::uint8_t> bytes_;
  std::vector<float> image_, scratch_;
  std::vector<Resize> resizes_;  // of the latest sizes, the last one first
};

}  // namespace lookhere
