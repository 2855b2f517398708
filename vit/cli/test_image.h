// One image of a test set, and a model's answer to it.
#pragma once
#include <vector>

#include "vit/data/dataset.h"
#include "vit/model/vit.h"

namespace lookhere {

// Image `index`, normalised and at the model's size: [1, C, Y, X]. Throws Error if there is no such image.
Tensor image_of(const Dataset& dataset, long index, const ViTConfig& config);
// Of one image's logits [classes], in host memory.
std::vector<float> softmax(const float* logits, long classes);

}  // namespace lookhere
