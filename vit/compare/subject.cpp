// Each set of images is loaded when it is asked for first.
#include "vit/compare/subject.h"

#include <algorithm>
#include <cmath>

#include "vit/data/subset.h"
#include "vit/eval/test_set.h"
#include "vit/model/weights.h"
#include "vit/train/checkpoint.h"

namespace lookhere {

Subject::Subject(const std::string& checkpoint, long test_images)
    : file_(checkpoint),
      test_images_(test_images),
      recipe_(recipe_of(file_)),
      model_(load_model(file_, Dtype::f32, device_of(recipe_))) {
  if (recipe_.model_ema_decay > 0) load_weights(model_, file_, "ema.");
}

const Dataset& Subject::images(long size) {
  if (size == size_) return *images_;
  DatasetOptions options = dataset_options(recipe_);
  options.shapes_size = options.glyphs_size = size;
  Dataset all = load_test_set(recipe_.data, file_, options);
  if (size != model_.config().height) all.crop_ratio = std::min(all.crop_ratio, 1.0);
  images_ = subset(std::move(all), test_images_);
  size_ = size;
  return *images_;
}

Loader Subject::loader(long size) {
  const ViTConfig& config = model_.config();
  LoaderOptions options = evaluation_loader(recipe_, config);
  const double pixels = static_cast<double>(size * size) / static_cast<double>(config.height * config.width);
  options.batch_size = std::max(1L, std::lround(static_cast<double>(options.batch_size) / std::max(pixels, 1.0)));
  options.image_height = options.image_width = size;
  return {images(size), options};
}

}  // namespace lookhere
