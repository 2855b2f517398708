// Where a model looks in one image: rows of the attention weights that its layers compute, and their rollout.
#pragma once
#include <optional>
#include <vector>

#include "vit/model/vit.h"

namespace lookhere {

struct AttentionMaps {
  Grid grid;
  Tensor logits;  // f32 [1, classes]
  // f32 [layers, heads, tokens]: what each head gives every token, the patches last. Rows sum to 1, but for sigmoid
  // attention.
  Tensor rows;
  // (tokens): the row of Π (mean of the heads + I) / 2 over the layers (Abnar & Zuidema 2020, arXiv 2005.00928), of
  // heads as AttentionRows::shares. A row of either summand sums to 1, so their mean is normalised.
  std::vector<double> rollout;
};

// Who looks: a patch (row-major index) or, if none is named, what the classifier reads: the class token, or the mean of
// all patches. q, k and the bias are those of the model's own forward pass. They are kept for all layers, 3·dim values
// per token; of weights no more than a row per head is in memory at a time, also for the rollout, which goes from the
// last layer to the first. The model is f32. Throws Error unless the image is [1, C, Y, X] as the model wants it, with
// such a patch, and the answer is finite.
AttentionMaps attention_maps(ViT& model, const Tensor& image, std::optional<long> patch = {});

}  // namespace lookhere
