// Pictures of every kind come out as the RGB planes they should be, and nothing else gets through.
#include "vit/data/photo/decode.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "tests/testing.h"
#include "tests/vit/photo_files.h"
#include "vit/data/photo/exif.h"

namespace lookhere {
namespace {

// As the tools of libjpeg and libpng have it: (height, width, 3).
struct Decoded {
  long height, width;
  Pixels rgb;
};
Decoded decoded(const std::string& file, const EnoughPixels& enough = {}) {
  std::vector<std::uint8_t> buffer{1, 2, 3};
  const Image image =
      decode_photo({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, "x", buffer, enough);
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.pixels, buffer.data());
  EXPECT_EQ(image.numel(), std::ssize(buffer));
  Decoded picture{image.height, image.width, {}};
  for (long i = 0; i < image.height * image.width; ++i)
    for (long c = 0; c < 3; ++c) picture.rgb.push_back(image.pixels[c * image.height * image.width + i]);
  return picture;
}
// Empty if it is taken.
std::string refusal_of(const std::string& file) {
  try {
    decoded(file);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::input);
    return error.what();
  }
}
long largest_difference(const Pixels& a, const Pixels& b) {
  EXPECT_EQ(a.size(), b.size());
  long largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, labs(a[i] - b[i]));
  return largest;
}

TEST(Photo, JpegsArePixelByPixelWhatDjpegMakesOfThem) {
  for (const long height : {1, 13, 16})
    for (const long width : {1, 19})
      for (const bool progressive : {false, true})
        for (const int sampling : {1, 2})
          for (const auto stored : {JCS_YCbCr, JCS_RGB}) {
            const std::string file =
                jpeg_file(smooth_picture(height, width, 3), height, width,
                          {.stored = stored, .quality = 80, .sampling = sampling, .progressive = progressive});
            const Decoded picture = decoded(file);
            EXPECT_EQ(picture.height, height);
            EXPECT_EQ(picture.width, width);
            EXPECT_EQ(picture.rgb, rgb_of_jpeg(file)) << height << "x" << width << sampling << progressive << stored;
          }
}

TEST(Photo, GreyAndPrintedJpegs) {
  const Pixels grey = smooth_picture(9, 14, 1), rgb = decoded(jpeg_file(grey, 9, 14, {.stored = JCS_GRAYSCALE})).rgb;
  for (std::size_t i = 0; i < grey.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(rgb[3 * i + c], grey[i], 2);
  // Inks as Adobe stores them: 255 is none. What is seen of a colour is its share of what black lets through.
  Pixels inks = smooth_picture(9, 14, 4), seen;
  for (std::size_t i = 0; i < inks.size(); i += 4) {
    inks[i + 3] = static_cast<std::uint8_t>(255 - inks[i + 3] / 3);
    for (std::size_t c = 0; c < 3; ++c) seen.push_back(static_cast<std::uint8_t>(inks[i + c] * inks[i + 3] / 255));
  }
  for (const auto stored : {JCS_CMYK, JCS_YCCK})
    EXPECT_LE(largest_difference(decoded(jpeg_file(inks, 9, 14, {.stored = stored})).rgb, seen), 4) << stored;
}

TEST(Photo, ScaledJpegsHaveAtLeastWhatIsWanted) {
  const std::string file = jpeg_file(smooth_picture(40, 61, 3), 40, 61, {.sampling = 2});
  const auto scaled = [&](long height, long width) {
    return decoded(file, [&](Extent stored) {
      EXPECT_EQ(stored, (Extent{40, 61}));
      return Extent{height, width};
    });
  };
  EXPECT_EQ(scaled(5, 8).height, 5);
  EXPECT_EQ(scaled(5, 8).rgb, rgb_of_jpeg(file, 1));
  EXPECT_EQ(scaled(6, 8).rgb, rgb_of_jpeg(file, 2));
  EXPECT_EQ(scaled(5, 9).rgb, rgb_of_jpeg(file, 2));
  EXPECT_EQ(scaled(0, 46).rgb, rgb_of_jpeg(file, 6));
  EXPECT_EQ(scaled(36, 0).rgb, rgb_of_jpeg(file, 8));
  EXPECT_EQ(scaled(1000, 1000).rgb, rgb_of_jpeg(file, 8));
  // Of one that lies on its side, height and width are meant as it is seen.
  const std::string turned = jpeg_file(smooth_picture(40, 61, 3), 40, 61, {.exif = exif_saying(6)});
  EXPECT_EQ(decoded(turned, [](Extent) { return Extent{8, 0}; }).height, 8);
  EXPECT_EQ(decoded(turned, [](Extent) { return Extent{0, 6}; }).width, 10);
}

// One row of every kind, and what it should be.
TEST(Photo, PngsOfEveryKind) {
  struct Case {
    PngKind kind;
    long width;
    Pixels row, rgb;
  };
  const std::vector<png_color> colours{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
  std::vector<Case> cases{
      {{.color = PNG_COLOR_TYPE_GRAY, .bits = 1}, 3, {0xA0}, {255, 255, 255, 0, 0, 0, 255, 255, 255}},
      {{.color = PNG_COLOR_TYPE_GRAY, .bits = 2}, 3, {0x1B}, {0, 0, 0, 85, 85, 85, 170, 170, 170}},
      {{.color = PNG_COLOR_TYPE_GRAY, .bits = 4}, 2, {0x3F}, {51, 51, 51, 255, 255, 255}},
      {{.color = PNG_COLOR_TYPE_GRAY}, 2, {7, 200}, {7, 7, 7, 200, 200, 200}},
      {{.color = PNG_COLOR_TYPE_GRAY, .bits = 16}, 2, {7, 255, 200, 0}, {7, 7, 7, 200, 200, 200}},
      {{.color = PNG_COLOR_TYPE_GRAY_ALPHA}, 2, {7, 0, 200, 9}, {7, 7, 7, 200, 200, 200}},
      {{.color = PNG_COLOR_TYPE_RGB}, 1, {1, 2, 3}, {1, 2, 3}},
      {{.color = PNG_COLOR_TYPE_RGB, .bits = 16}, 1, {1, 255, 2, 128, 3, 0}, {1, 2, 3}},
      {{.color = PNG_COLOR_TYPE_RGB_ALPHA}, 2, {1, 2, 3, 0, 4, 5, 6, 255}, {1, 2, 3, 4, 5, 6}},
      {{.color = PNG_COLOR_TYPE_RGB_ALPHA, .bits = 16}, 1, {1, 0, 2, 0, 3, 0, 0, 0}, {1, 2, 3}},
  };
  for (const auto& [bits, packed] : {std::pair<int, Pixels>{2, {0x18}}, {4, {0x01, 0x20}}, {8, {0, 1, 2}}})
    cases.push_back(
        {{.color = PNG_COLOR_TYPE_PALETTE, .bits = bits, .palette = colours}, 3, packed, {1, 2, 3, 4, 5, 6, 7, 8, 9}});
  for (Case& one : cases)
    for (const bool transparent : {false, true}) {
      if (transparent && (one.kind.color & PNG_COLOR_MASK_ALPHA)) continue;
      one.kind.transparent = transparent;
      const Decoded picture = decoded(png_file(one.row, 1, one.width, one.kind));
      EXPECT_EQ(picture.rgb, one.rgb) << one.kind.color << ", " << one.kind.bits << " bits" << transparent;
      EXPECT_EQ(picture.height, 1);
    }
}

TEST(Photo, InterlacedPngs) {
  for (const long height : {1, 2, 5, 17})
    for (const long width : {1, 3, 18}) {
      const Pixels pixels = smooth_picture(height, width, 3);
      EXPECT_EQ(decoded(png_file(pixels, height, width, {.interlaced = true})).rgb, pixels) << height << "x" << width;
    }
}

TEST(Photo, ComesOutUpright) {
  // a b c    The first row of each is what one sees at the top, the columns from the left.
  // d e f
  const std::array<const char*, 9> seen{"",       "abcdef", "cbafed", "fedcba", "defabc",
                                        "adbecf", "daebfc", "fcebda", "cfbead"};
  Pixels stored;
  for (const char letter : std::string("abcdef")) stored.insert(stored.end(), {std::uint8_t(letter), 1, 2});
  for (int orientation = 1; orientation <= 8; ++orientation)
    for (const bool interlaced : {false, true}) {
      const Decoded png =
          decoded(png_file(stored, 2, 3, {.interlaced = interlaced, .exif = exif_saying(orientation, interlaced)}));
      std::string letters;
      for (std::size_t i = 0; i < png.rgb.size(); i += 3) letters += static_cast<char>(png.rgb[i]);
      EXPECT_EQ(letters, seen[orientation]) << orientation;
      EXPECT_EQ(png.width, orientation < 5 ? 3 : 2);
      const Decoded jpeg = decoded(jpeg_file(stored, 2, 3, {.exif = exif_saying(orientation)}));
      EXPECT_EQ(jpeg.width, png.width);
      EXPECT_LE(largest_difference(jpeg.rgb, png.rgb), 6) << orientation;
    }
}

TEST(Photo, DamagedExifTurnsNothing) {
  const std::string good = exif_saying(6);
  const auto orientation = [](const std::string& exif) {
    return exif_orientation({reinterpret_cast<const std::uint8_t*>(exif.data()), exif.size()});
  };
  EXPECT_EQ(orientation(good), 6);
  for (std::size_t size = 0; size < good.size(); ++size) {
    const int value = orientation(good.substr(0, size));
    EXPECT_TRUE(value == 1 || value == 6) << size;
  }
  for (const int odd : {0, 9, 65535}) EXPECT_EQ(orientation(exif_saying(odd)), 1);
  std::string long_value = good;
  long_value[good.find(std::string("\x12\x01\x03", 3)) + 2] = 4;  // another type
  EXPECT_EQ(orientation(long_value), 1);
  std::string far = good;
  far.replace(4, 4, "\xFF\xFF\xFF\xFF");
  EXPECT_EQ(orientation(far), 1);
}

TEST(Photo, WhatIsCutShortIsRefused) {
  for (const std::string& file :
       {jpeg_file(smooth_picture(16, 24, 3), 16, 24, {.quality = 60}),
        jpeg_file(smooth_picture(16, 24, 3), 16, 24, {.quality = 60, .progressive = true}),
        png_file(smooth_picture(5, 6, 3), 5, 6), png_file(smooth_picture(5, 6, 3), 5, 6, {.interlaced = true})}) {
    EXPECT_EQ(refusal_of(file), "");
    EXPECT_EQ(refusal_of(file + "more behind it"), "");
    for (std::size_t size = 0; size < file.size(); ++size) {
      const std::string refusal = refusal_of(file.substr(0, size));
      EXPECT_TRUE(refusal.starts_with("x: ")) << size << " of " << file.size() << " bytes: " << refusal;
    }
  }
}

TEST(Photo, TheEndOfAJpegMustBeThere) {
  for (long width = 1; width <= 64; ++width) {
    const std::string file = jpeg_file(smooth_picture(8, width, 1), 8, width, {.stored = JCS_GRAYSCALE});
    EXPECT_EQ(refusal_of(file), "");
    EXPECT_EQ(refusal_of(file.substr(0, file.size() - 2)), "x: damaged JPEG: Premature end of JPEG file") << width;
  }
}

// Whatever bit is wrong, there is a picture or a clear word; in a PNG, whose parts have checksums, hardly a picture.
TEST(Photo, OneWrongBit) {
  long taken = 0;
  std::string png = png_file(smooth_picture(3, 4, 3), 3, 4);
  std::string jpeg = jpeg_file(smooth_picture(8, 9, 3), 8, 9, {.quality = 50, .sampling = 2});
  for (std::string* file : {&png, &jpeg}) {
    taken = 0;
    for (std::size_t bit = 0; bit < 8 * file->size(); ++bit) {
      const auto flip = [&] { (*file)[bit / 8] = static_cast<char>((*file)[bit / 8] ^ (1 << bit % 8)); };
      flip();
      const std::string refusal = refusal_of(*file);
      flip();
      taken += refusal.empty();
      EXPECT_TRUE(refusal.empty() || refusal.starts_with("x: ")) << refusal;
      EXPECT_EQ(std::ranges::count_if(refusal, [](unsigned char c) { return c < 0x20; }), 0) << refusal;
    }
    if (file == &png) {
      EXPECT_EQ(taken, 0);
    }
  }
  EXPECT_GT(taken, 0);
}

// A JPEG's size, in its frame header.
std::string with_jpeg_size(std::string file, long height, long width) {
  const std::size_t frame = file.find("\xFF\xC0");
  for (const auto& [at, side] : {std::pair{frame + 5, height}, {frame + 7, width}})
    file[at] = static_cast<char>(side >> 8), file[at + 1] = static_cast<char>(side);
  return file;
}

TEST(Photo, WhatWouldNotFitIsRefusedBeforeItIsDecoded) {
  const std::string jpeg = jpeg_file(smooth_picture(8, 8, 3), 8, 8);
  const std::string limits = "x: wanted sides from 1 to 16384 and at most 67108864 pixels, got ";
  EXPECT_EQ(refusal_of(with_jpeg_size(jpeg, 60000, 50000)), limits + "50000x60000");
  EXPECT_EQ(refusal_of(with_jpeg_size(jpeg, 1, 16385)), limits + "16385x1");
  EXPECT_EQ(refusal_of(with_jpeg_size(jpeg, 8193, 8192)), limits + "8192x8193");
  const std::string few = concat("x: truncated: ", jpeg.size(), " bytes cannot hold 8192x8192 pixels");
  EXPECT_EQ(refusal_of(with_jpeg_size(jpeg, 8192, 8192)), few);
  const Pixels rows(40000, 0);
  EXPECT_EQ(refusal_of(png_file(rows, 1, 40000, {.color = PNG_COLOR_TYPE_GRAY})), limits + "40000x1");
  // 2^26 pixels in the header alone.
  std::string png = png_file(rows, 1, 1);
  png.replace(16, 8, std::string{0, 0, 32, 0, 0, 0, 32, 0});
  const auto sum = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(png.data()) + 12, 17));
  for (int i = 0; i < 4; ++i) png[29 + i] = static_cast<char>(sum >> (24 - 8 * i));
  EXPECT_EQ(refusal_of(png), concat("x: truncated: ", png.size(), " bytes cannot hold 8192x8192 pixels"));
}

TEST(Photo, ManyScansAndWarningsAreRefused) {
  const std::string file = jpeg_file(smooth_picture(16, 16, 1), 16, 16, {.stored = JCS_GRAYSCALE, .progressive = true});
  const std::size_t last = file.rfind("\xFF\xDA"), end = file.size() - 2;
  std::string deep = file.substr(0, end);
  for (int i = 0; i < 500; ++i) deep += file.substr(last, end - last);
  EXPECT_NE(refusal_of(deep + "\xFF\xD9").find(" scans of 16x16 pixels, more than the limit of 500"),
            std::string::npos);
  // What stands behind the end is none of the picture.
  std::string behind = file + std::string("\0\2", 2);
  for (int i = 0; i < 600; ++i) behind += std::string("\xFF\xDA\0\2", 4);
  EXPECT_EQ(refusal_of(behind), "");
  // The more pixels, the fewer.
  std::string large = file;
  const std::size_t frame = large.find("\xFF\xC2");
  large.replace(frame + 5, 4, "\x20\x00\x20\x00", 4);
  large = large.substr(0, end) + std::string(131072, '\0');
  for (int i = 0; i < 64; ++i) large += file.substr(last, end - last);
  EXPECT_NE(refusal_of(large).find(" scans of 8192x8192 pixels, more than the limit of 64"), std::string::npos);
  // Every comment has a byte too much before it.
  const auto untidy = [](long comments) {
    std::string bytes = jpeg_file(smooth_picture(4, 4, 3), 4, 4, {.comments = comments});
    for (std::size_t at = 0; (at = bytes.find("\xFF\xFE", at)) != std::string::npos; at += 3) bytes.insert(at, 1, '\0');
    return refusal_of(bytes);
  };
  EXPECT_EQ(untidy(16), "");
  EXPECT_EQ(untidy(17), "x: damaged JPEG: Corrupt JPEG data: 1 extraneous bytes before marker 0xfe");
}

TEST(Photo, OtherFilesAreNamed) {
  EXPECT_EQ(refusal_of(""), "x: wanted a JPEG or PNG, got an empty file");
  EXPECT_EQ(refusal_of("GIF89a\x01\x02\x03\x04\x05\x06\x07"),
            "x: wanted a JPEG or PNG, got a file that begins with \"GIF89a??????\"");
  EXPECT_EQ(refusal_of("\xFF\xD8\xFF\xD9"), "x: damaged JPEG: JPEG datastream contains no image");
}

}  // namespace
}  // namespace lookhere
