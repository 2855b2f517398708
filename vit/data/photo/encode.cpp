// All that the library may leave behind in an error is owned by Encoder.
#include "vit/data/photo/encode.h"

// jpeglib.h needs cstdio.
#include <cstdio>
#include <cstdlib>
#include <vector>
// clang-format off
#include <jpeglib.h>
// clang-format on

#include "vit/data/photo/trap.h"

namespace lookhere {
namespace {

struct Encoder {
  explicit Encoder(const std::string& name) : trap(name, "JPEG") {
    info.err = jpeg_std_error(&errors);
    info.client_data = &trap;
    errors.error_exit = [](j_common_ptr failed) {
      char message[JMSG_LENGTH_MAX];
      failed->err->format_message(failed, message);
      auto& trap = *static_cast<Trap*>(failed->client_data);
      trap.lacks_memory();  // nothing else can be wrong with pixels
      trap.fail(message);
    };
  }
  ~Encoder() {
    jpeg_destroy_compress(&info);
    std::free(file);  // NOLINT(cppcoreguidelines-no-malloc): libjpeg's
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  Trap trap;
  jpeg_error_mgr errors{};
  jpeg_compress_struct info{};
  unsigned char* file = nullptr;
  unsigned long bytes = 0;
};

}  // namespace

std::string jpeg_bytes(const Image& image, int quality) {
  check(image.channels == 1 || image.channels == 3, "JPEG: wanted 1 or 3 channels, got ", image.channels);
  check(quality >= 1 && quality <= 100, "JPEG: wanted a quality from 1 to 100, got ", quality);
  check(
      image.height >= 1 && image.width >= 1 && image.height <= JPEG_MAX_DIMENSION && image.width <= JPEG_MAX_DIMENSION,
      "JPEG: wanted sides from 1 to ", JPEG_MAX_DIMENSION, ", got ", image.height, "x", image.width);
  const long plane = image.height * image.width;
  std::vector<std::uint8_t> row(image.width * image.channels);
  const std::string name = "an image";
  Encoder encoder(name);
  encoder.trap.call([&] {
    jpeg_compress_struct& info = encoder.info;
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &encoder.file, &encoder.bytes);
    info.image_height = static_cast<JDIMENSION>(image.height), info.image_width = static_cast<JDIMENSION>(image.width);
    info.input_components = static_cast<int>(image.channels);
    info.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
      const std::uint8_t* pixels = image.pixels + info.next_scanline * image.width;
      for (long x = 0; x < image.width; ++x)
        for (long c = 0; c < image.channels; ++c) row[x * image.channels + c] = pixels[c * plane + x];
      JSAMPROW line = row.data();
      jpeg_write_scanlines(&info, &line, 1);
    }
    jpeg_finish_compress(&info);
  });
  return {reinterpret_cast<const char*>(encoder.file), encoder.bytes};
}

}  // namespace lookhere
