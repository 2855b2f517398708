// A model's attention in one image as a picture: a panel for every head of every layer.
#pragma once
#include <optional>
#include <string>

#include "vit/data/image.h"
#include "vit/eval/attention_maps.h"

namespace lookhere {

struct AttentionPicture {
  std::string title, answer;  // what is shown, and what the model took it for
  Image image;                // as the model saw it
  std::optional<long> patch;  // who looks; if none, what the classifier reads
};

// The image and the rollout; below a row per layer: a panel per head, and the mean of the heads. A panel is the image
// in grey under the weights of its patches, bright for the largest of the panel, with what the head may see: as a small
// mask beside its direction and, where a patch looks, hatched where it may not. Throws Error for more than 4096 panels.
std::string attention_svg(const AttentionMaps& maps, const ViTConfig& config, const AttentionPicture& picture);

}  // namespace lookhere
