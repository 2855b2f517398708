// The first image file directory of a TIFF: a count, then entries of tag, type, count and value.
#include "vit/data/photo/exif.h"

namespace lookhere {

int exif_orientation(Bytes tiff) {
  constexpr std::uint32_t kOrientation = 0x0112, kShort = 3, kEntryBytes = 12;
  const bool little = tiff.size() >= 8 && tiff[0] == 'I' && tiff[1] == 'I';
  if (!little && !(tiff.size() >= 8 && tiff[0] == 'M' && tiff[1] == 'M')) return 1;
  const auto number = [&](std::size_t at, std::size_t bytes) {  // 0 beyond the end
    std::uint32_t value = 0;
    if (at > tiff.size() || tiff.size() - at < bytes) return value;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | tiff[little ? at + bytes - 1 - i : at + i];
    return value;
  };
  const std::size_t directory = number(4, 4), entries = number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    if (number(entry, 2) != kOrientation || number(entry + 2, 2) != kShort) continue;
    const std::uint32_t value = number(entry + 8, 2);
    return 1 <= value && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace lookhere
