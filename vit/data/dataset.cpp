// What holds for every data set, wherever its images come from.
#include "vit/data/dataset.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/hash.h"
#include "tensor/shape.h"

namespace lookhere {

Image Dataset::read(long i, std::vector<std::uint8_t>& buffer) const {
  check(0 <= i && i < size() && images && i < images->size(), name, ": no image ", i, " of ", size());
  const Image image = images->read(i, buffer);
  check(image.channels == channels && image.numel() > 0, name, ": image ", i, " is ",
        Shape{image.channels, image.height, image.width}, ", wanted ", channels, " channels");
  return image;
}

void Dataset::set_images(std::vector<std::uint8_t> pixels, long image_channels, long image_height, long image_width) {
  channels = image_channels, height = image_height, width = image_width;
  images = images_in_memory(std::move(pixels), channels, height, width);
}

std::string Dataset::hash() const {
  const std::uint64_t parts[]{images->hash(), hash_of(labels.data(), size() * static_cast<long>(sizeof labels[0])),
                              static_cast<std::uint64_t>(channels), static_cast<std::uint64_t>(height),
                              static_cast<std::uint64_t>(width)};
  return to_hex(hash_of(parts, sizeof parts));
}

void set_statistics(Dataset& dataset) {
  std::vector<std::array<double, 256>> counts(dataset.channels);  // whole numbers: exact in any order
  std::vector<std::uint8_t> buffer;
  for (long i = 0; i < dataset.size(); ++i) {
    const Image image = dataset.read(i, buffer);
    const std::uint8_t* pixel = image.pixels;
    for (auto& count : counts)
      for (long p = 0; p < image.height * image.width; ++p) ++count[*pixel++];
  }
  dataset.mean.assign(dataset.channels, 0);
  dataset.std.assign(dataset.channels, 1);
  for (long c = 0; c < dataset.channels && dataset.size() > 0; ++c) {
    double n = 0, sum = 0, squares = 0;
    for (int v = 0; v < 256; ++v) n += counts[c][v], sum += counts[c][v] * v;
    const double mean = sum / n;
    for (int v = 0; v < 256; ++v) squares += counts[c][v] * (v - mean) * (v - mean);
    dataset.mean[c] = static_cast<float>(mean / 255);
    if (squares > 0) dataset.std[c] = static_cast<float>(std::sqrt(squares / n) / 255);
  }
}

void check_consistent(const Dataset& d) {
  check(d.size() > 0 && d.images && d.channels > 0, d.name, ": no images");
  check(d.size() == d.images->size(), d.name, ": wanted one image per label, got ", d.images->size(), " images and ",
        d.size(), " labels");
  check(static_cast<long>(d.class_names.size()) == d.classes, d.name, ": wanted ", d.classes, " class names, got ",
        d.class_names.size());
  check(static_cast<long>(std::min(d.mean.size(), d.std.size())) == d.channels, d.name, ": wanted mean and std of ",
        d.channels, " channels, got ", d.mean.size(), " and ", d.std.size());
  for (float std : d.std) check(std > 0, d.name, ": std must be positive, got ", std);
  for (long i = 0; i < d.size(); ++i)
    check(0 <= d.labels[i] && d.labels[i] < d.classes, d.name, ": label ", d.labels[i], " of image ", i,
          " is not below ", d.classes);
}

}  // namespace lookhere
