// Resized as the loader does it.
#include "vit/cli/test_image.h"

#include <algorithm>
#include <cmath>

#include "vit/data/image_loader.h"

namespace lookhere {

Tensor image_of(const Dataset& dataset, long index, const ViTConfig& config) {
  check(0 <= index && index < dataset.size(), dataset.name, ": wanted an image from 0 to ", dataset.size() - 1,
        ", got ", index);
  Tensor image = empty({1, config.channels, config.height, config.width}, Dtype::f32, Device::cpu);
  ImageLoader(dataset, config.height, config.width).load(index, image.host<float>());
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
