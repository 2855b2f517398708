// Resized as the loader does it.
#include "vit/cli/test_image.h"

#include <algorithm>
#include <cmath>

#include "vit/data/augment.h"
#include "vit/data/resize.h"

namespace lookhere {

Tensor image_of(const Dataset& dataset, long index, const ViTConfig& config) {
  check(0 <= index && index < dataset.size(), dataset.name, ": wanted an image from 0 to ", dataset.size() - 1,
        ", got ", index);
  Tensor stored = empty({dataset.channels, dataset.height, dataset.width}, Dtype::f32, Device::cpu);
  load_image(dataset, index, stored.host<float>());
  Tensor image = empty({1, config.channels, config.height, config.width}, Dtype::f32, Device::cpu);
  const Resize resize(dataset.height, dataset.width, config.height, config.width);
  std::vector<float> scratch(static_cast<std::size_t>(resize.scratch_size()));
  resize(image.host<float>(), stored.host<float>(), dataset.channels, scratch.data());
  return image;
}

std::vector<float> softmax(const float* logits, long classes) {
  const float max = *std::max_element(logits, logits + classes);
  std::vector<float> p(logits, logits + classes);
  float sum = 0;
  for (float& v : p) sum += v = std::exp(v - max);
  for (float& v : p) v /= sum;
  return p;
}

}  // namespace lookhere
