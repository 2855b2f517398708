// PNG files in memory.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "vit/data/image.h"

namespace lookhere {

// A PNG file of 8-bit pixels (height, width, channels) with 1 (grey) or 3 (RGB) channels. Throws Error for other
// counts.
std::string png_bytes(const std::vector<std::uint8_t>& pixels, long height, long width, long channels);

// Of an image: its first three channels as red, green and blue or, where it has fewer, the first as grey.
std::string png_of(const Image& image);

// For data URIs.
std::string base64(const std::string& bytes);

}  // namespace lookhere
