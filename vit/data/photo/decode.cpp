// Tells JPEG and PNG apart by how they begin.
#include "vit/data/photo/decode.h"

#include <algorithm>
#include <array>

#include "tensor/error.h"
#include "tensor/file.h"
#include "vit/data/photo/jpeg.h"
#include "vit/data/photo/png.h"

namespace lookhere {

Image decode_photo(Bytes bytes, const std::string& name, std::vector<std::uint8_t>& buffer,
                   const EnoughPixels& enough) {
  constexpr std::array<std::uint8_t, 3> kJpeg{0xFF, 0xD8, 0xFF};
  constexpr std::array<std::uint8_t, 8> kPng{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  const auto begins_with = [&](Bytes magic) {
    return bytes.size() >= magic.size() && std::ranges::equal(bytes.first(magic.size()), magic);
  };
  if (begins_with(kJpeg)) return decode_jpeg(bytes, name, buffer, enough);
  if (begins_with(kPng)) {
    const Image image = decode_png(bytes, name, buffer);
    if (enough) enough({image.height, image.width});
    return image;
  }
  check(!bytes.empty(), name, ": wanted a JPEG or PNG, got an empty file");
  const std::string beginning(bytes.begin(), bytes.begin() + std::min<long>(std::ssize(bytes), 12));
  fail(name, ": wanted a JPEG or PNG, got a file that begins with ", shown(beginning));
}

}  // namespace lookhere
