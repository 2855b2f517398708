// From marker to marker: 0xFF, a code and, with most, a segment that says its length. Within a scan's data 0xFF stands
// before 0 or a restart marker only, so that the same walk passes over it.
#include "vit/data/photo/jpeg_markers.h"

#include <algorithm>
#include <string_view>

namespace lookhere {

JpegMarkers jpeg_markers(Bytes bytes) {
  constexpr std::uint8_t kStartOfScan = 0xDA, kEnd = 0xD9, kApp1 = 0xE1;
  const auto stands_alone = [](std::uint8_t code) { return code <= 0x01 || (0xD0 <= code && code <= 0xD8); };
  JpegMarkers found;
  for (std::size_t at = 0;;) {
    at = static_cast<std::size_t>(std::find(bytes.begin() + static_cast<long>(at), bytes.end(), 0xFF) - bytes.begin());
    while (at < bytes.size() && bytes[at] == 0xFF) ++at;
    if (at == bytes.size() || bytes[at] == kEnd) return found;
    const std::uint8_t code = bytes[at++];
    if (stands_alone(code)) continue;
    const std::size_t length = bytes.size() - at < 2 ? 0 : bytes[at] << 8U | bytes[at + 1];  // of itself too
    if (length < 2 || length > bytes.size() - at) return found;
    const Bytes segment = bytes.subspan(at + 2, length - 2);
    const std::string_view text(reinterpret_cast<const char*>(segment.data()), segment.size());
    constexpr std::string_view kExif{"Exif\0\0", 6};
    if (code == kApp1 && found.exif.empty() && text.starts_with(kExif)) found.exif = segment.subspan(kExif.size());
    found.scans += code == kStartOfScan;
    at += length;
  }
}

}  // namespace lookhere
