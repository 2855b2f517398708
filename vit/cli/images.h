// Images from npy files, as a model wants them.
#pragma once
#include <string>

#include "tensor/safetensors.h"
#include "vit/model/vit.h"

namespace lookhere {

inline constexpr long kImagesAtATime = 32;  // bounds the memory, however long the file

// f32 [n, channels, height, width]. Floating-point arrays are taken as they are, so they must be normalised; bytes
// (uint8) are normalised with the model's constants. one: a single image, [channels, height, width] or [1, ...]. Throws
// Error, naming the file, for other types and shapes, heights and widths that the patch does not divide, and values
// that are not finite as f32.
Tensor load_images(const std::string& path, const Safetensors& model, bool one = false);

}  // namespace lookhere
