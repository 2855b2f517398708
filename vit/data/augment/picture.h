// Picture: the pixels of one image that is being augmented, in memory of its own.
#pragma once
#include "vit/data/image.h"

namespace lookhere {

struct Picture {
  std::vector<std::uint8_t> pixels;  // (channels, height, width)
  long channels = 0, height = 0, width = 0;
  Image image() const { return {pixels.data(), channels, height, width}; }
  long plane() const { return height * width; }
};

// Some pixels of an image.
struct Window {
  long top = 0, left = 0, height = 0, width = 0;
  bool operator==(const Window&) const = default;
};

}  // namespace lookhere
