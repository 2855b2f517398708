// JPEG by libjpeg-turbo.
#pragma once
#include "vit/data/photo/decode.h"

namespace lookhere {

// As decode_photo.
Image decode_jpeg(Bytes bytes, const std::string& name, std::vector<std::uint8_t>& buffer,
                  const EnoughPixels& enough = {});

}  // namespace lookhere
