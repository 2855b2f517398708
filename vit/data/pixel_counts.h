// How often each pixel value occurs, channel by channel, and what follows for normalising.
#pragma once
#include <array>
#include <vector>

#include "vit/data/image.h"

namespace lookhere {

class PixelCounts {  // whole numbers: exact in any order
 public:
  explicit PixelCounts(long channels) : counts_(static_cast<std::size_t>(channels)) {}
  void add(const Image& image);  // of as many channels
  void add(const PixelCounts& other);
  // Of pixel / 255, a number per channel. Without pixels the mean is 0 and the std 1; a constant channel gets std 1
  // too, so that normalising stays finite.
  std::vector<float> mean() const;
  std::vector<float> std() const;

 private:
  struct Moments {
    double mean, std;
  };
  static Moments moments(const std::array<double, 256>& count);
  std::vector<std::array<double, 256>> counts_;
};

}  // namespace lookhere
