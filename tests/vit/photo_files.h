// JPEG and PNG files of every kind, made with libjpeg and libpng, and a JPEG read by libjpeg alone.
#pragma once
#include <png.h>

#include <cstdint>
#include <cstdio>
// clang-format off
#include <jpeglib.h>
// clang-format on
#include <cstdlib>
#include <string>
#include <vector>

namespace lookhere {

using Pixels = std::vector<std::uint8_t>;  // (height, width, channels), or a PNG's packed rows

// A smooth picture with an edge.
inline Pixels smooth_picture(long height, long width, long channels) {
  Pixels pixels;
  for (long y = 0; y < height; ++y)
    for (long x = 0; x < width; ++x)
      for (long c = 0; c < channels; ++c)
        pixels.push_back(static_cast<std::uint8_t>((x > width / 2 ? 120 : 20) + 3 * y + 2 * x + 20 * c));
  return pixels;
}

// An EXIF structure with an orientation.
inline std::string exif_saying(int orientation, bool little = true) {
  const auto number = [&](unsigned value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (little ? 8 * i : 8 * (bytes - 1 - i)));
    return text;
  };
  return (little ? "II" : "MM") + number(42, 2) + number(8, 4) + number(2, 2) + number(0x010F, 2) + number(2, 2) +
         number(4, 4) + "abc" + std::string(1, '\0') + number(0x0112, 2) + number(3, 2) + number(1, 4) +
         number(static_cast<unsigned>(orientation), 2) + number(0, 2) + number(0, 4);
}

struct JpegKind {
  J_COLOR_SPACE stored = JCS_YCbCr;
  int quality = 100, sampling = 1;  // sampling 2: 4:2:0
  bool progressive = false;
  std::string exif = {};
  long comments = 0;  // segments without content
};
// Pixels have 1 channel for JCS_GRAYSCALE, 4 for JCS_CMYK and JCS_YCCK, else 3.
inline std::string jpeg_file(const Pixels& pixels, long height, long width, const JpegKind& kind = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_height = static_cast<JDIMENSION>(height), info.image_width = static_cast<JDIMENSION>(width);
  const bool grey = kind.stored == JCS_GRAYSCALE, inks = kind.stored == JCS_CMYK || kind.stored == JCS_YCCK;
  info.input_components = grey ? 1 : inks ? 4 : 3;
  info.in_color_space = grey ? JCS_GRAYSCALE : inks ? JCS_CMYK : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, kind.stored);
  jpeg_set_quality(&info, kind.quality, TRUE);
  for (int c = 0; c < info.num_components; ++c) {
    const bool fine = c % 3 == 0;  // brightness and black
    info.comp_info[c].h_samp_factor = info.comp_info[c].v_samp_factor = fine ? kind.sampling : 1;
  }
  if (kind.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (!kind.exif.empty()) {
    const std::string segment = std::string("Exif\0\0", 6) + kind.exif;
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(segment.data()),
                      static_cast<unsigned>(segment.size()));
  }
  for (long i = 0; i < kind.comments; ++i) jpeg_write_marker(&info, JPEG_COM, nullptr, 0);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(pixels.data() + info.next_scanline * width * info.input_components);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<char*>(memory), size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return bytes;
}

// As libjpeg decodes it by itself, as djpeg does; scale: of 8.
inline Pixels rgb_of_jpeg(const std::string& bytes, unsigned scale = 8) {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_RGB;
  info.scale_num = scale, info.scale_denom = 8;
  jpeg_start_decompress(&info);
  Pixels pixels(std::size_t{3} * info.output_height * info.output_width);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = pixels.data() + std::size_t{3} * info.output_scanline * info.output_width;
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return pixels;
}

struct PngKind {
  int color = PNG_COLOR_TYPE_RGB, bits = 8;
  bool interlaced = false, transparent = false;  // transparent: the first colour is
  std::string exif = {};
  std::vector<png_color> palette = {};
};
// Packed rows, as the file has them.
inline std::string png_file(const Pixels& rows, long height, long width, const PngKind& kind = {}) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  std::string bytes;
  png_set_write_fn(
      png, &bytes,
      [](png_structp p, png_bytep data, std::size_t size) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<char*>(data), size);
      },
      nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), kind.bits, kind.color,
               kind.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!kind.palette.empty()) png_set_PLTE(png, info, kind.palette.data(), static_cast<int>(kind.palette.size()));
  const png_byte none = 0;
  const png_color_16 first{};
  if (kind.transparent) png_set_tRNS(png, info, &none, 1, &first);
  std::string exif = kind.exif;
  if (!exif.empty())
    png_set_eXIf_1(png, info, static_cast<png_uint_32>(exif.size()), reinterpret_cast<png_bytep>(exif.data()));
  png_write_info(png, info);
  const std::size_t row_bytes = png_get_rowbytes(png, info);
  std::vector<png_bytep> pointers;
  for (long y = 0; y < height; ++y) pointers.push_back(const_cast<png_bytep>(rows.data() + y * row_bytes));
  png_write_image(png, pointers.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

}  // namespace lookhere
