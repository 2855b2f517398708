// decode_photo on any bytes. The first one asks for a size and, where it is odd, for the checksums of a PNG's chunks to
// be set right: by chance hardly any would be.
#include "vit/data/photo/decode.h"

#include <zlib.h>

#include "tests/fuzz/fuzz.h"

namespace {

void mend_checksums(std::vector<std::uint8_t>& png) {
  constexpr std::size_t kSignature = 8, kAround = 12;
  const auto length_at = [&](std::size_t at) {
    return std::size_t{png[at]} << 24 | std::size_t{png[at + 1]} << 16 | std::size_t{png[at + 2]} << 8 | png[at + 3];
  };
  for (std::size_t at = kSignature; at + kAround <= png.size();) {
    const std::size_t length = length_at(at);
    if (length > png.size() - at - kAround) return;
    const std::size_t end = at + 8 + length;
    const auto sum = static_cast<std::uint32_t>(crc32(0, png.data() + at + 4, static_cast<unsigned>(length + 4)));
    for (std::size_t i = 0; i < 4; ++i) png[end + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
    at = end + 4;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lookhere;
  if (size == 0) return 0;
  std::vector<std::uint8_t> file(data + 1, data + size), buffer;
  if (data[0] % 2 && size > 1 && file[0] == 0x89) mend_checksums(file);
  const long wanted = data[0] / 2;  // 0: all pixels
  const EnoughPixels enough = [&](Extent) { return Extent{wanted, wanted}; };
  accepted([&] {
    const Image image = decode_photo(file, "photo", buffer, wanted ? enough : EnoughPixels());
    require(image.channels == 3 && image.height > 0 && image.width > 0, "no RGB image");
    require(image.pixels == buffer.data() && std::ssize(buffer) == image.numel(), "a size that is not the buffer's");
    long sum = 0;  // reads every pixel
    for (long i = 0; i < image.numel(); ++i) sum += image.pixels[i];
    require(sum <= 255 * image.numel(), "no sum of bytes");
  });
  return 0;
}
