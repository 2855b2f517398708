// Orientations as steps: where the first stored pixel goes, the one below it and the one to its right.
#include "vit/data/photo/canvas.h"

#include "tensor/shape.h"

namespace lookhere {
namespace {

constexpr long kMaxSide = 16384, kMaxPixels = 1L << 26;

}  // namespace

void check_photo_size(const std::string& name, long height, long width) {
  check(1 <= height && height <= kMaxSide && 1 <= width && width <= kMaxSide && height * width <= kMaxPixels, name,
        ": wanted sides from 1 to ", kMaxSide, " and at most ", kMaxPixels, " pixels, got ", width, "x", height);
}

Canvas::Canvas(long height, long width, int orientation, std::vector<std::uint8_t>& buffer) : stored_width_(width) {
  // From 5 on columns become rows. Stored rows then run backwards in 3, 4, 6 and 7, stored columns in 2, 3, 7 and 8.
  const bool exchanged = orientation >= 5;
  const bool rows_back = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool columns_back = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const long upright_width = exchanged ? height : width;
  const long down = exchanged ? 1 : upright_width, right = exchanged ? upright_width : 1;
  if (rows_back) start_ += (height - 1) * down;
  if (columns_back) start_ += (width - 1) * right;
  row_step_ = rows_back ? -down : down;
  column_step_ = columns_back ? -right : right;
  buffer.resize(static_cast<std::size_t>(checked_mul(3, checked_mul(height, width))));
  pixels_ = buffer.data();
  image_ = {.pixels = pixels_, .channels = 3, .height = exchanged ? width : height, .width = upright_width};
}

void Canvas::put_row(long y, const std::uint8_t* rgb) {
  const long plane = image_.height * image_.width;
  std::uint8_t* out = pixels_ + start_ + y * row_step_;
  for (long x = 0; x < stored_width_; ++x, out += column_step_, rgb += 3)
    out[0] = rgb[0], out[plane] = rgb[1], out[2 * plane] = rgb[2];
}

}  // namespace lookhere
