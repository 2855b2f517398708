// From the pixels of an image to the bytes of a JPEG file.
#pragma once
#include <string>

#include "vit/data/image.h"

namespace lookhere {

// Baseline, with libjpeg's defaults (chroma at half the resolution), of an image with 1 or 3 channels; quality 1 to
// 100. Throws Error for others, OutOfMemory.
std::string jpeg_bytes(const Image& image, int quality);

}  // namespace lookhere
