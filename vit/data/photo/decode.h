// From the bytes of a JPEG or PNG file to the pixels of an image.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "vit/data/image.h"

namespace lookhere {

using Bytes = std::span<const std::uint8_t>;

// The picture as 8-bit RGB planes in `buffer`, turned upright as its EXIF orientation says. The content decides what it
// is, not the name, which is for messages. JPEG: grey, YCbCr, RGB, CMYK and YCCK (inverted, as Adobe writes them and
// Pillow reads them), baseline and progressive; pixels are djpeg's. PNG: of any kind; 16 bits lose their lower byte and
// alpha is dropped, as Pillow's convert("RGB") does. Throws Error, the name first, for what is neither, damaged,
// truncated or beyond the limits, which are looked at before memory is taken for pixels.
// A JPEG is decoded at n/8 of its size, 1 <= n <= 8: the smallest n that leaves enough pixels each way.
Image decode_photo(Bytes bytes, const std::string& name, std::vector<std::uint8_t>& buffer,
                   const EnoughPixels& enough = {});

}  // namespace lookhere
