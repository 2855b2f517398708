// Where an odd number of pixels is cut, one more is cut at the right and below.
#include "vit/eval/input_size.h"

#include <algorithm>
#include <cmath>

namespace lookhere {

InputSide input_side(long asked, long patch, SizeRule rule) {
  check(asked >= 1 && patch >= 1, "image size: wanted at least 1 pixel and a patch of 1, got ", asked, " and ", patch);
  const long below = asked / patch * patch;
  if (below == asked) return {asked, asked};
  switch (rule) {
    case SizeRule::pad:
      return {asked, below + patch};
    case SizeRule::crop:
      check(below > 0, "image size ", asked, ": cropped to whole patches of ", patch, " pixels nothing is left");
      return {asked, below};
    case SizeRule::resize:
      break;
  }
  const long nearest = std::max(1L, std::lround(static_cast<double>(asked) / static_cast<double>(patch))) * patch;
  return {nearest, nearest};
}

void crop_for_side(Dataset& images, const ViTConfig& model, long side) {
  if (side != model.height && images.crop_ratio > 0) images.crop_ratio = 1;
}

Tensor fitted(const Tensor& images, long height, long width) {
  const Shape shape = images.shape();
  check(shape.rank() == 4, "fitted: wanted images [b, c, y, x], got ", shape);
  if (shape[2] == height && shape[3] == width) return images;
  const Tensor from = images.to(Device::cpu);
  Tensor out = zeros({shape[0], shape[1], height, width}, Dtype::f32, Device::cpu);
  const long top = std::max(0L, shape[2] - height) / 2, left = std::max(0L, shape[3] - width) / 2;
  const long rows = std::min(height, shape[2]), columns = std::min(width, shape[3]);
  for (long plane = 0; plane < shape[0] * shape[1]; ++plane)
    for (long y = 0; y < rows; ++y)
      std::copy_n(from.host<float>() + (plane * shape[2] + top + y) * shape[3] + left, columns,
                  out.host<float>() + (plane * height + y) * width);
  return out.to(images.device());
}

}  // namespace lookhere
