// The patch logit lens (LookHere, section 4.1 and figure 5): what the classifier makes of every patch token by itself,
// layer by layer, and how well that finds the thing in the image.
#pragma once
#include <vector>

#include "vit/data/dataset.h"
#include "vit/model/vit.h"

namespace lookhere {

// The classifier's logits for each patch after each block: a tensor [B, patches, classes] on the CPU per layer, for
// images [B, C, Y, X], f32.
std::vector<Tensor> patch_logits(ViT& model, const Tensor& images);

// The likeliest class of each patch: [layers][images · patches].
std::vector<std::vector<long>> patch_classes(ViT& model, const Tensor& images);

// Which patches are those of the thing that the label speaks of: at least half of their pixels are 1 in the mask
// (height, width), whose sides are multiples of the grid's.
std::vector<bool> patches_of_thing(const std::vector<std::uint8_t>& mask, long height, long width, Grid grid);

// Mean intersection over union of the classes, over the patches of things alone: no class stands for what is around
// them. Of class c: patches with label c that are taken for c, by patches with label c or taken for c. Classes without
// either do not count.
class MeanIou {
 public:
  explicit MeanIou(long classes) : hits_(classes, 0), labelled_(classes, 0), taken_(classes, 0) {}
  void add(long label, long taken_for);
  double percent() const;  // 0 without patches

 private:
  std::vector<long> hits_, labelled_, taken_;
};

}  // namespace lookhere
