// Buffers that are used again, and tables of weights for the sizes that came last.
#include "vit/data/image_loader.h"

#include <algorithm>

#include "tensor/error.h"

namespace lookhere {
namespace {

constexpr std::size_t kResizesKept = 8;  // photographs come in few sizes: those of cameras, upright and lying

}  // namespace

ImageLoader::ImageLoader(const Dataset& dataset, long height, long width)
    : dataset_(&dataset), height_(height), width_(width) {
  const bool one_size = dataset.height > 0;
  if (!one_size) resizes_.reserve(kResizesKept);
  if (!one_size || (dataset.height == height && dataset.width == width)) return;
  image_.resize(dataset.channels * dataset.height * dataset.width);
  scratch_.resize(resize_from(dataset.height, dataset.width).scratch_size());
}

const Resize& ImageLoader::resize_from(long height, long width) {
  auto found = std::ranges::find_if(
      resizes_, [&](const Resize& resize) { return resize.in_height() == height && resize.in_width() == width; });
  if (found == resizes_.end()) {
    if (resizes_.size() == kResizesKept) resizes_.pop_back();
    found = resizes_.emplace(resizes_.end(), height, width, height_, width_);
  }
  std::rotate(resizes_.begin(), found, found + 1);
  return resizes_.front();
}

void ImageLoader::load_augmented(long index, float* out, const AugmentOptions& options, std::uint64_t seed,
                                 long epoch) {
  Extent stored;
  const EnoughPixels enough = [&](Extent size) {
    stored = size;
    return enough_for_crop(size, options, seed, epoch, index, height_, width_);
  };
  const Image image = dataset_->read(index, bytes_, options.scaled_decoding ? enough : EnoughPixels());
  normalise(augment(image, options, seed, epoch, index, height_, width_, stored), dataset_->mean, dataset_->std, out);
}

void ImageLoader::load(long index, float* out, const View& view) {
  const Image image = dataset_->read(index, bytes_);
  if (dataset_->crop_ratio > 0) {
    check(height_ == width_, dataset_->name, ": a square is cut out of each image, wanted a square model, got ",
          height_, "x", width_);
    const auto shorter = static_cast<long>(static_cast<double>(height_) / dataset_->crop_ratio);
    const Picture seen = evaluation_view(image, shorter, height_, dataset_->interpolation);
    return normalise(seen.image(), dataset_->mean, dataset_->std, out, view);
  }
  const bool as_is = image.height == height_ && image.width == width_;
  if (!as_is && std::ssize(image_) < image.numel()) image_.resize(image.numel());
  normalise(image, dataset_->mean, dataset_->std, as_is ? out : image_.data(), view);
  if (as_is) return;
  const Resize& resize = resize_from(image.height, image.width);
  if (std::ssize(scratch_) < resize.scratch_size()) scratch_.resize(resize.scratch_size());
  resize(out, image_.data(), image.channels, scratch_.data());
}

}  // namespace lookhere
