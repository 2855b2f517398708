// A small folder of pictures to train with.
#pragma once
#include "tests/testing.h"
#include "vit/show/png.h"

namespace lookhere {

// Two classes, stripes down and across, of 12 training and 4 test images that differ in size.
inline std::string make_photos(const TemporaryFolder& folder, int of_class = 12) {
  Rng rng(1, Purpose::test);
  for (const char* split : {"train", "val"})
    for (const char* name : {"across", "down"}) {
      const std::string at = folder / concat("photos/", split, "/", name);
      std::filesystem::create_directories(at);
      for (int i = 0; i < (std::string(split) == "train" ? of_class : 4); ++i) {
        const long height = 20 + rng.below(20), width = 20 + rng.below(20);
        std::vector<std::uint8_t> pixels;
        for (long k = 0; k < height * width * 3; ++k) {
          const long y = k / 3 / width, x = k / 3 % width;
          const bool bright = (std::string(name) == "down" ? x : y) / 3 % 2;
          pixels.push_back(static_cast<std::uint8_t>((bright ? 160 : 40) + rng.below(40)));
        }
        write_file(concat(at, "/", i, ".png"), png_bytes(pixels, height, width, 3));
      }
    }
  return folder / "photos";
}

}  // namespace lookhere
