// Every kind of PNG as rows of 8-bit RGB. No colour management: gamma and profiles are left alone, as Pillow does.
#include "vit/data/photo/png.h"

#include <png.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tensor/shape.h"
#include "vit/data/photo/canvas.h"
#include "vit/data/photo/exif.h"
#include "vit/data/photo/trap.h"

namespace lookhere {
namespace {

constexpr long kMaxDeflateRatio = 1032;  // a packed byte never stands for more
constexpr long kMaxChunkBytes = 1L << 20, kMaxChunks = 128;

// What libpng's callbacks get.
struct Decoder {
  Decoder(Bytes file, const std::string& name) : trap(name, "PNG"), rest(file) {
    const auto failed = [](png_structp p, png_const_charp message) { of(png_get_error_ptr(p)).trap.fail(message); };
    const auto warned = [](png_structp p, png_const_charp message) {
      if (of(png_get_error_ptr(p)).trap.is_one_too_many()) png_error(p, message);
    };
    const auto allocate = [](png_structp p, png_alloc_size_t bytes) {
      void* memory = std::malloc(bytes);
      if (!memory) of(png_get_mem_ptr(p)).trap.lacks_memory();
      return memory;
    };
    png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, this, failed, warned, this, allocate,
                                   [](png_structp, png_voidp memory) { std::free(memory); });
    if (png) info = png_create_info_struct(png);
    if (!info) {
      png_destroy_read_struct(&png, nullptr, nullptr);
      throw OutOfMemory(0, "decode", name.c_str());
    }
    png_set_read_fn(png, this, [](png_structp p, png_bytep out, std::size_t bytes) {
      Bytes& rest = of(png_get_io_ptr(p)).rest;
      if (rest.size() < bytes) png_error(p, "truncated");
      std::memcpy(out, rest.data(), bytes);
      rest = rest.subspan(bytes);
    });
  }
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  static Decoder& of(void* pointer) { return *static_cast<Decoder*>(pointer); }

  Trap trap;
  Bytes rest;  // what has not been read
  png_structp png = nullptr;
  png_infop info = nullptr;
};

// The eXIf chunk may also stand behind the pixels.
Bytes exif_of(Bytes png) {
  const auto number = [&](std::size_t at) {
    return std::size_t{png[at]} << 24 | std::size_t{png[at + 1]} << 16 | std::size_t{png[at + 2]} << 8 | png[at + 3];
  };
  constexpr std::size_t kSignature = 8, kAround = 12;  // length and type before the data, checksum behind
  for (std::size_t at = kSignature; png.size() - at >= kAround;) {
    const std::size_t length = number(at);
    if (length > png.size() - at - kAround) return {};
    if (std::string_view(reinterpret_cast<const char*>(png.data()) + at + 4, 4) == "eXIf")
      return png.subspan(at + 8, length);
    at += kAround + length;
  }
  return {};
}

void read_header(Decoder& decoder) {
  decoder.trap.call([&] {
    // A limit of libpng's own would not say what came; nothing is allocated for pixels yet.
    png_set_user_limits(decoder.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(decoder.png, kMaxChunkBytes);
    png_set_chunk_cache_max(decoder.png, kMaxChunks);
    png_set_keep_unknown_chunks(decoder.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);  // all but pixels and palette
    png_read_info(decoder.png, decoder.info);
  });
}

void ask_for_rgb(Decoder& decoder) {
  decoder.trap.call([&] {
    png_set_expand(decoder.png);
    png_set_strip_16(decoder.png);
    png_set_strip_alpha(decoder.png);
    png_set_gray_to_rgb(decoder.png);
  });
}

}  // namespace

Image decode_png(Bytes bytes, const std::string& name, std::vector<std::uint8_t>& buffer) {
  Decoder decoder(bytes, name);
  read_header(decoder);
  const long height = png_get_image_height(decoder.png, decoder.info);
  const long width = png_get_image_width(decoder.png, decoder.info);
  check_photo_size(name, height, width);
  const long stored = height * static_cast<long>(png_get_rowbytes(decoder.png, decoder.info));
  check(stored <= checked_mul(std::ssize(bytes), kMaxDeflateRatio), name, ": truncated: ", bytes.size(),
        " bytes cannot hold ", width, "x", height, " pixels");
  ask_for_rgb(decoder);
  int passes = 0;
  decoder.trap.call([&] {
    passes = png_set_interlace_handling(decoder.png);
    png_read_update_info(decoder.png, decoder.info);
  });
  Canvas canvas(height, width, exif_orientation(exif_of(bytes)), buffer);
  const bool interlaced = passes > 1;  // each pass then adds to the rows of the one before
  std::vector<std::uint8_t> rows(static_cast<std::size_t>(3 * width * (interlaced ? height : 1)));
  for (int pass = 0; pass < passes; ++pass)
    for (long y = 0; y < height; ++y) {
      std::uint8_t* row = rows.data() + (interlaced ? 3 * width * y : 0);
      decoder.trap.call([&] { png_read_row(decoder.png, row, nullptr); });
      if (pass + 1 == passes) canvas.put_row(y, row);
    }
  decoder.trap.call([&] { png_read_end(decoder.png, nullptr); });
  return canvas.image();
}

}  // namespace lookhere
