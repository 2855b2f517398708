// libjpeg's defaults are djpeg's and Pillow's: the accurate integer DCT (islow) and smooth chroma upsampling.
#include "vit/data/photo/jpeg.h"

// jpeglib.h needs cstdio.
#include <algorithm>
#include <cstdio>
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "tensor/shape.h"
#include "vit/data/photo/canvas.h"
#include "vit/data/photo/exif.h"
#include "vit/data/photo/jpeg_markers.h"
#include "vit/data/photo/trap.h"

namespace lookhere {
namespace {

constexpr long kMaxScans = 500, kMaxScanPixels = 1L << 32;  // progressive photographs have about ten scans
constexpr long kPixelsPerByte = 512;  // the most: 8x8 pixels take at least one bit, that of their mean
constexpr long kMaxMemory = 640L << 20;

struct Decoder {
  explicit Decoder(const std::string& name) : trap(name, "JPEG") {
    info.err = jpeg_std_error(&errors);
    info.client_data = &trap;
    errors.error_exit = [](j_common_ptr failed) { fail(failed); };
    errors.emit_message = [](j_common_ptr warned, int level) {
      const bool warning = level < 0, cut_short = warned->err->msg_code == JWRN_JPEG_EOF;
      if (warning && (cut_short || trap_of(warned).is_one_too_many())) fail(warned);
    };
  }
  ~Decoder() { jpeg_destroy_decompress(&info); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  static Trap& trap_of(j_common_ptr common) { return *static_cast<Trap*>(common->client_data); }
  [[noreturn]] static void fail(j_common_ptr failed) {
    char message[JMSG_LENGTH_MAX];
    failed->err->format_message(failed, message);
    if (failed->err->msg_code == JERR_OUT_OF_MEMORY) trap_of(failed).lacks_memory();
    trap_of(failed).fail(message);
  }

  Trap trap;
  jpeg_error_mgr errors{};
  jpeg_decompress_struct info{};
};

// The n of n/8.
unsigned scale_for(const jpeg_decompress_struct& info, bool exchanged, const EnoughPixels& enough) {
  if (!enough) return 8;
  Extent stored{info.image_height, info.image_width};
  if (exchanged) std::swap(stored.height, stored.width);
  const Extent wanted = enough(stored);
  unsigned n = 1;
  const auto scaled = [&](long side) { return (side * n + 7) / 8; };
  while (n < 8 && (scaled(stored.height) < wanted.height || scaled(stored.width) < wanted.width)) ++n;
  return n;
}

// Inverted CMYK, in place: what is not black is as bright as the inks let through. Rounded as Pillow does.
void cmyk_to_rgb(std::uint8_t* row, long width) {
  std::uint8_t* rgb = row;
  for (const std::uint8_t* cmyk = row; cmyk < row + 4 * width; cmyk += 4)
    for (int c = 0; c < 3; ++c) {
      const int light = cmyk[3], absorbed = (255 - cmyk[c]) * light + 128;
      *rgb++ = static_cast<std::uint8_t>(light - ((absorbed >> 8) + absorbed) / 256);
    }
}

void check_limits(const jpeg_decompress_struct& info, Bytes bytes, long scans, const std::string& name) {
  const long height = info.image_height, width = info.image_width, size = std::ssize(bytes);
  check_photo_size(name, height, width);
  check(height * width <= checked_mul(size, kPixelsPerByte), name, ": truncated: ", size, " bytes cannot hold ", width,
        "x", height, " pixels");
  const long most = std::min(kMaxScans, kMaxScanPixels / (height * width));
  check(scans <= most, name, ": ", scans, " scans of ", width, "x", height, " pixels, more than the limit of ", most);
  check(info.jpeg_color_space != JCS_UNKNOWN && info.num_components != 2, name,
        ": wanted a JPEG of 1, 3 or 4 components, got ", info.num_components);
}

}  // namespace

Image decode_jpeg(Bytes bytes, const std::string& name, std::vector<std::uint8_t>& buffer, const EnoughPixels& enough) {
  const JpegMarkers markers = jpeg_markers(bytes);
  const int orientation = exif_orientation(markers.exif);
  Decoder decoder(name);
  jpeg_decompress_struct& info = decoder.info;
  decoder.trap.call([&] {
    jpeg_create_decompress(&info);
    info.mem->max_memory_to_use = kMaxMemory;
    jpeg_mem_src(&info, bytes.data(), bytes.size());
    jpeg_read_header(&info, TRUE);
  });
  check_limits(info, bytes, markers.scans, name);
  const bool cmyk = info.num_components == 4;
  info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  info.scale_num = scale_for(info, orientation >= 5, enough), info.scale_denom = 8;
  info.dct_method = JDCT_ISLOW;
  decoder.trap.call([&] { jpeg_start_decompress(&info); });
  Canvas canvas(info.output_height, info.output_width, orientation, buffer);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(info.output_width) * info.output_components);
  for (long y = 0; y < static_cast<long>(info.output_height); ++y) {
    JSAMPROW out = row.data();
    decoder.trap.call([&] { jpeg_read_scanlines(&info, &out, 1); });
    if (cmyk) cmyk_to_rgb(row.data(), info.output_width);
    canvas.put_row(y, row.data());
  }
  decoder.trap.call([&] { jpeg_finish_decompress(&info); });
  return canvas.image();
}

}  // namespace lookhere
