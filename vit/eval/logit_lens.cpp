// One forward pass gives the tokens of all layers.
#include "vit/eval/logit_lens.h"

#include <algorithm>

namespace lookhere {

std::vector<Tensor> patch_logits(ViT& model, const Tensor& images) {
  const NoGrad evaluation;
  std::vector<Tensor> layers;
  Pass pass{.on_block = [&](const Tensor& tokens) {
    layers.push_back(model.patch_logits(Var(tokens)).value().to(Device::cpu));
  }};
  model(Var(images.to(model.device())), pass);
  return layers;
}

std::vector<std::vector<long>> patch_classes(ViT& model, const Tensor& images) {
  std::vector<std::vector<long>> layers;
  const long classes = model.config().classes;
  for (const Tensor& logits : patch_logits(model, images)) {
    const float* row = logits.host<float>();
    std::vector<long>& taken = layers.emplace_back();
    for (long i = 0; i < logits.numel() / classes; ++i, row += classes)
      taken.push_back(std::max_element(row, row + classes) - row);
  }
  return layers;
}

std::vector<bool> patches_of_thing(const std::vector<std::uint8_t>& mask, long height, long width, Grid grid) {
  check(std::ssize(mask) == height * width && height % grid.y == 0 && width % grid.x == 0,
        "logit lens: wanted a mask of ", height, "x", width, " pixels for ", grid.y, "x", grid.x, " patches, got ",
        mask.size());
  const long patch_height = height / grid.y, patch_width = width / grid.x;
  std::vector<bool> thing;
  for (long patch = 0; patch < grid.patches(); ++patch) {
    long inside = 0;
    for (long y = 0; y < patch_height; ++y)
      for (long x = 0; x < patch_width; ++x)
        inside += mask[(patch / grid.x * patch_height + y) * width + patch % grid.x * patch_width + x] == 1;
    thing.push_back(2 * inside >= patch_height * patch_width);
  }
  return thing;
}

void MeanIou::add(long label, long taken_for) {
  hits_[label] += label == taken_for, ++labelled_[label], ++taken_[taken_for];
}

double MeanIou::percent() const {
  double sum = 0, count = 0;
  for (std::size_t c = 0; c < hits_.size(); ++c) {
    const long either = labelled_[c] + taken_[c] - hits_[c];
    if (either == 0) continue;
    sum += 100 * static_cast<double>(hits_[c]) / static_cast<double>(either);
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

}  // namespace lookhere
