// libpng's simplified API.
#include "vit/show/png.h"

#include <png.h>

#include "tensor/error.h"
#include "tensor/out_of_memory.h"

namespace lookhere {

std::string png_bytes(const std::vector<std::uint8_t>& pixels, long height, long width, long channels) {
  check(height >= 1 && width >= 1 && (channels == 1 || channels == 3), "png: wanted 1 or 3 channels and a size, got ",
        height, "×", width, "×", channels);
  check(static_cast<long>(pixels.size()) == height * width * channels, "png: wanted ", height * width * channels,
        " bytes, got ", pixels.size());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = bytes.size();
  // All else that could be wrong has been checked.
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr) == 0)
    throw OutOfMemory::because(image.message);
  bytes.resize(size);
  return bytes;
}

std::string png_of(const Image& image) {
  const long channels = image.channels >= 3 ? 3 : 1, size = image.height * image.width;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(channels * size));
  for (long c = 0; c < channels; ++c)
    for (long i = 0; i < size; ++i) pixels[i * channels + c] = image.pixels[c * size + i];
  return png_bytes(pixels, image.height, image.width, channels);
}

std::string base64(const std::string& bytes) {
  static const char* const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;  // 24 at a time
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<std::uint8_t>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? digits[bits >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

}  // namespace lookhere
