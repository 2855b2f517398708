// What a model file says of its data: with which constants the pixels it was trained on were normalised, and what its
// classes are called. They are the model's: data it is used on later are made to look the same with them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tensor/safetensors.h"
#include "vit/data/dataset.h"

namespace lookhere {

// What is done where a size is asked for that is no multiple of the patch: the image is resized to the nearest multiple
// instead; or it is resized as asked, and then its centre of whole patches is cut out, or the mean colour is added at
// the right and below, where no patch of the image moves.
enum class SizeRule { resize, crop, pad };

struct Preprocessing {
  std::vector<float> mean, std;  // per channel: a stored byte becomes (byte / 255 - mean) / std
  // Which part of an image is seen, as Dataset says it (timm: crop_pct); 0: not said, or the whole.
  double crop_ratio = 0;
  Interpolation interpolation = Interpolation::bilinear;
  SizeRule size_rule = SizeRule::resize;
};

// "0.4914, 0.4822, 0.4465": the shortest digits that tell the numbers from all others.
std::string listed(const std::vector<float>& values);
// {"mean": [0.286], "std": [0.353]}, as stored under the metadata key `preprocessing`; with a crop also "crop_pct":
// 0.875, "interpolation": "bicubic"; with another rule than resize "size_rule".
std::string to_json(const Preprocessing& preprocessing);
// Other fields may stand beside these. Throws Error unless mean and std are `channels` finite numbers and std is above
// 0, and for a crop_pct out of (0, 16] and unknown names.
Preprocessing preprocessing_from_json(const std::string& text, long channels);

// The model's own; nothing for files that have none (before version 0.2). Throws Error, naming the file, as above.
std::optional<Preprocessing> preprocessing_of(const Safetensors& model, long channels);

// Data as a model with this preprocessing wants it.
void take(Dataset& data, const Preprocessing& own);

const char* name_of(Interpolation interpolation);
Interpolation interpolation_from_name(const std::string& name);  // Error for others
const char* name_of(SizeRule rule);
SizeRule size_rule_from_name(const std::string& name);  // Error for others

// The metadata of a model that is trained on this data: `class_names` and `preprocessing`.
Metadata description_of(const Dataset& training);

// The f32 images [n, channels, height, width] of bytes that are held as i64, in host memory.
Tensor normalised(const Tensor& images, const Preprocessing& preprocessing);
// The way back, for one image [1, channels, height, width] in host memory: its pixels from 0 to 255, (c, y, x).
std::vector<std::uint8_t> pixels_of(const Tensor& image, const Preprocessing& preprocessing);

}  // namespace lookhere
