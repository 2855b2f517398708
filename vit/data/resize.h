// Bilinear resize of (c, h, w) float images, antialiased when they shrink: each output value is the mean of the inputs
// under a triangle as wide as max(1, in / out) inputs to each side. The same as torch's
// interpolate(mode="bilinear", antialias=True, align_corners=False); plain bilinear when they grow.
#pragma once
#include <vector>

namespace lookhere {

class Resize {
 public:
  // Sizes in pixels, all >= 1, or Error.
  Resize(long in_height, long in_width, long out_height, long out_width);
  // out (c, out_height, out_width), in (c, in_height, in_width), scratch (in_height, out_width).
  void operator()(float* out, const float* in, long channels, float* scratch) const;
  long scratch_size() const { return rows_.in * columns_.out; }
  long in_height() const { return rows_.in; }
  long in_width() const { return columns_.in; }

 private:
  // Along one axis, output i is the sum of weights[i * taps + k] * input[first[i] + k] over k < count[i].
  struct Axis {
    Axis(long in, long out);
    long in, out, taps;
    std::vector<long> first, count;
    std::vector<float> weights;
  };
  Axis rows_, columns_;
};

}  // namespace lookhere
