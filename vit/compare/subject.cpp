// Each set of images is loaded when it is asked for first.
#include "vit/compare/subject.h"

#include <algorithm>
#include <cmath>

#include "vit/data/subset.h"
#include "vit/eval/input_size.h"
#include "vit/eval/test_set.h"
#include "vit/model/preprocessing.h"
#include "vit/model/weights.h"
#include "vit/train/checkpoint.h"

namespace lookhere {

Subject::Subject(const std::string& checkpoint, long test_images)
    : Subject(checkpoint, recipe_of(Safetensors(checkpoint)), test_images) {}

Subject::Subject(const std::string& model, Recipe recipe, long test_images)
    : file_(model),
      test_images_(test_images),
      recipe_(std::move(recipe)),
      averaged_(std::ranges::any_of(file_.entries(), [](const auto& each) { return each.name.starts_with("ema."); })),
      model_(load_model(file_, Dtype::f32, device_of(recipe_))) {
  if (averaged_) load_weights(model_, file_, "ema.");
}

ViT Subject::tuned(double value) const {
  ViTConfig config = model_.config();
  PositionOptions options;
  options[config.position->tunable()->option] = value;
  config.position = with_options(config.position, options);
  ViT model = load_model(file_, config, Dtype::f32, device_of(recipe_));
  if (averaged_) load_weights(model, file_, "ema.");
  return model;
}

const Dataset& Subject::images(long size, Images which) {
  if (size == size_ && which == which_) return *images_;
  Recipe drawn = recipe_;  // sets that are drawn, at this size
  drawn.img_size = size;
  if (which == Images::held_out) {
    images_ = load_training_split(drawn).held;
    if (const auto own = preprocessing_of(file_, images_->channels)) take(*images_, *own);
  } else {
    images_ = subset(load_test_set(recipe_.data, file_, dataset_options(drawn)), test_images_);
  }
  crop_for_side(*images_, model_.config(), size);
  size_ = size, which_ = which;
  return *images_;
}

Loader Subject::loader(long size, Images which) {
  const ViTConfig& config = model_.config();
  LoaderOptions options = evaluation_loader(recipe_, config);
  const double pixels = static_cast<double>(size * size) / static_cast<double>(config.height * config.width);
  options.batch_size = std::max(1L, std::lround(static_cast<double>(options.batch_size) / std::max(pixels, 1.0)));
  options.image_height = options.image_width = size;
  return {images(size, which), options};
}

}  // namespace lookhere
