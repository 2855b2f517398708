// The pictures that Pillow and timm were given for tests/golden, and the hash of what they made of them.
#pragma once
#include <cstdint>
#include <vector>

#include "vit/data/augment/picture.h"

namespace lookhere {

// The same as pillow.py's.
inline Picture picture(long height, long width, long kind = 0) {
  Picture p{{}, 3, height, width};
  for (long c = 0; c < 3; ++c)
    for (long y = 0; y < height; ++y)
      for (long x = 0; x < width; ++x) {
        long value = ((x * x * (c + 2) + y * y * 3 + x * y * 5) / 16 + 17 * c) % 256;
        if (kind == 1) value = 40 + 30 * c + value / 4;
        if (kind == 2) value = 90 + 20 * c;
        if (kind == 3) value = (x / 3 + y / 2) % 2 == 0 ? 255 : 0;
        p.pixels.push_back(static_cast<std::uint8_t>(value));
      }
  return p;
}

inline std::uint32_t fnv(const std::vector<std::uint8_t>& bytes) {
  std::uint32_t value = 2166136261;
  for (const std::uint8_t byte : bytes) value = (value ^ byte) * 16777619;
  return value;
}

}  // namespace lookhere
