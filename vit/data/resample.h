// 8-bit resizing that equals Pillow's Image.resize(size, filter, box): antialiased when an image shrinks, horizontally
// first, then vertically, with bytes in between. Newer Pillows begin with the vertical pass for some images, and round
// otherwise there: 12.3 if they are more than 100 times as high as wide, 13 if more than twice as many rows go as
// columns.
#pragma once
#include "vit/data/image.h"

namespace lookhere {

enum class Interpolation { bilinear, bicubic };  // a triangle; Keys' cubic with a = -0.5

// The part of the source that becomes the whole output, in pixels; its borders may lie between two of them.
struct SourceBox {
  float left, top, right, bottom;
};

// Tables of weights for one pair of sizes: made once, used for any number of images, by any number of threads.
class Resample {
 public:
  // Sizes in pixels, 1 to 65536, and a box of some size inside of the source, or Error.
  Resample(Interpolation interpolation, long in_height, long in_width, long out_height, long out_width);
  Resample(Interpolation interpolation, long in_height, long in_width, const SourceBox& box, long out_height,
           long out_width);
  // out (channels, out_height, out_width), of the window of in_height x in_width pixels at (top, left) of the image, as
  // if it had been cut out first. The window must lie in the image, or Error. Scratch grows to what is needed.
  void operator()(std::uint8_t* out, const Image& image, std::vector<std::uint8_t>& scratch, long top = 0,
                  long left = 0) const;
  long in_height() const { return rows_.in; }
  long in_width() const { return columns_.in; }

 private:
  // Along one axis: see kernels/resample.h.
  struct Axis {
    Axis(Interpolation interpolation, long in, float begin, float end, long out);
    long in, out, taps = 0;
    bool is_copy;
    std::vector<int> first, count, weights;
  };
  Axis rows_, columns_;
};

}  // namespace lookhere
