// ImageLoader: from a stored image of any size to what a model takes: cropped, mirrored, normalised, resized.
#pragma once
#include <vector>

#include "vit/data/augment.h"
#include "vit/data/dataset.h"
#include "vit/data/resize.h"

namespace lookhere {

// For one thread. Its memory is taken once where all images have one size, and else grows with the largest.
class ImageLoader {
 public:
  // Of height x width pixels, both >= 1. The data set must outlive the loader.
  ImageLoader(const Dataset& dataset, long height, long width);
  // Image `index` to out (channels, height, width). Throws Error if there is no such image or it cannot be read.
  void load(long index, float* out, const View& view = {});

 private:
  const Resize& resize_from(long height, long width);

  const Dataset* dataset_;
  long height_, width_;
  std::vector<std::uint8_t> bytes_;
  std::vector<float> image_, scratch_;
  std::vector<Resize> resizes_;  // of the latest sizes, the last one first
};

}  // namespace lookhere
