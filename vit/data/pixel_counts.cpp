// Sums over 256 values instead of all pixels.
#include "vit/data/pixel_counts.h"

#include <cmath>

namespace lookhere {

void PixelCounts::add(const Image& image) {
  const std::uint8_t* pixel = image.pixels;
  for (auto& count : counts_)
    for (long p = 0; p < image.height * image.width; ++p) ++count[*pixel++];
}

void PixelCounts::add(const PixelCounts& other) {
  for (std::size_t c = 0; c < counts_.size(); ++c)
    for (std::size_t v = 0; v < 256; ++v) counts_[c][v] += other.counts_[c][v];
}

PixelCounts::Moments PixelCounts::moments(const std::array<double, 256>& count) {
  double n = 0, sum = 0, squares = 0;
  for (int v = 0; v < 256; ++v) n += count[v], sum += count[v] * v;
  if (n == 0) return {0, 1};
  const double mean = sum / n;
  for (int v = 0; v < 256; ++v) squares += count[v] * (v - mean) * (v - mean);
  return {mean / 255, squares > 0 ? std::sqrt(squares / n) / 255 : 1};
}

std::vector<float> PixelCounts::mean() const {
  std::vector<float> means;
  for (const auto& count : counts_) means.push_back(static_cast<float>(moments(count).mean));
  return means;
}
std::vector<float> PixelCounts::std() const {
  std::vector<float> deviations;
  for (const auto& count : counts_) deviations.push_back(static_cast<float>(moments(count).std));
  return deviations;
}

}  // namespace lookhere
