// Canvas: where a decoder puts the rows of a picture. They come out upright and as planes.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "vit/data/image.h"

namespace lookhere {

// Throws Error, the name first, for sides that are 0 or above 16384, and for more than 2^26 pixels.
void check_photo_size(const std::string& name, long height, long width);

class Canvas {
 public:
  // Of a picture that is stored with this size, to be turned as this EXIF orientation (1 to 8) says. Its pixels go to
  // the buffer.
  Canvas(long height, long width, int orientation, std::vector<std::uint8_t>& buffer);
  // Stored row y: (width, 3).
  void put_row(long y, const std::uint8_t* rgb);
  // Upright; complete when all rows are there.
  Image image() const { return image_; }

 private:
  std::uint8_t* pixels_;
  Image image_;
  long stored_width_;
  long start_ = 0, row_step_ = 0, column_step_ = 0;  // stored (y, x) is at start + y * row_step + x * column_step
};

}  // namespace lookhere
