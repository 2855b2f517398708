// The pictures as the model saw them are the images of a set.
#include "vit/cli/answers.h"

#include <algorithm>

#include "tensor/finite.h"
#include "vit/cli/test_image.h"
#include "vit/eval/accuracy.h"

namespace lookhere {

void Answers::add(const CommandImage& picture, const std::vector<float>& probabilities) {
  const Shape shape = picture.image.shape();
  if (predictions_.empty())
    dataset_.class_names = picture.class_names, dataset_.channels = shape[1], dataset_.height = shape[2],
    dataset_.width = shape[3];
  check(dataset_.channels == shape[1] && dataset_.height == shape[2] && dataset_.width == shape[3],
        "gallery: wanted pictures of one size, got ", shape, " after [1, ", dataset_.channels, ", ", dataset_.height,
        ", ", dataset_.width, "]");
  const std::vector<std::uint8_t> pixels = pixels_of(picture);
  pixels_.insert(pixels_.end(), pixels.begin(), pixels.end());
  const auto best = std::ranges::max_element(probabilities);
  dataset_.labels.push_back(static_cast<std::int32_t>(picture.label));
  predictions_.push_back({.index = static_cast<long>(predictions_.size()),
                          .predicted = best - probabilities.begin(),
                          .probability = *best});
}

std::string Answers::svg() {
  dataset_.set_images(pixels_, dataset_.channels, dataset_.height, dataset_.width);
  return gallery_svg(dataset_, predictions_);
}

std::vector<float> answer_to(ViT& model, const CommandImage& picture, const std::string& what) {
  const Tensor logits = logits_of(model, picture.image);
  check_finite(logits, what);
  return softmax(logits.host<float>(), model.config().classes);
}

}  // namespace lookhere
