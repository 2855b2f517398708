// PNG by libpng.
#pragma once
#include "vit/data/photo/decode.h"

namespace lookhere {

// As decode_photo.
Image decode_png(Bytes bytes, const std::string& name, std::vector<std::uint8_t>& buffer);

}  // namespace lookhere
