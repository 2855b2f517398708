// What holds for every data set, wherever its images come from.
#include "vit/data/dataset.h"

#include <algorithm>
#include <unordered_map>

#include "tensor/file.h"
#include "tensor/hash.h"
#include "tensor/shape.h"
#include "vit/data/pixel_counts.h"

namespace lookhere {

Image Dataset::read(long i, std::vector<std::uint8_t>& buffer, const EnoughPixels& enough) const {
  check(0 <= i && i < size() && images && i < images->size(), name, ": no image ", i, " of ", size());
  const Image image = enough ? images->read_enough(i, buffer, enough) : images->read(i, buffer);
  check(image.channels == channels && image.numel() > 0, name, ": image ", i, " is ",
        Shape{image.channels, image.height, image.width}, ", wanted ", channels, " channels");
  return image;
}

void Dataset::set_images(std::vector<std::uint8_t> pixels, long image_channels, long image_height, long image_width) {
  channels = image_channels, height = image_height, width = image_width;
  images = images_in_memory(std::move(pixels), channels, height, width);
}

std::string Dataset::skipped(const char* kind) const {
  const ImageSource::Skipped reasons = images->skipped();
  if (reasons.empty()) return "";
  const bool one = reasons.size() == 1;
  return concat(reasons.size(), " of ", size(), " ", kind, " images ", one ? "has" : "have", " been skipped, ",
                one ? "" : "the first: ", reasons.begin()->second);
}

std::string Dataset::hash() const {
  const std::uint64_t parts[]{images->hash(), hash_of(labels.data(), size() * static_cast<long>(sizeof labels[0])),
                              static_cast<std::uint64_t>(channels), static_cast<std::uint64_t>(height),
                              static_cast<std::uint64_t>(width)};
  return to_hex(hash_of(parts, sizeof parts));
}

void set_statistics(Dataset& dataset) {
  PixelCounts counts(dataset.channels);
  std::vector<std::uint8_t> buffer;
  for (long i = 0; i < dataset.size(); ++i) counts.add(dataset.read(i, buffer));
  dataset.mean = counts.mean(), dataset.std = counts.std();
}

void relabel(Dataset& dataset, const std::vector<std::string>& class_names) {
  std::unordered_map<std::string, std::int32_t> known;
  for (std::size_t i = 0; i < class_names.size(); ++i) known.emplace(class_names[i], static_cast<std::int32_t>(i));
  std::vector<std::int32_t> positions;
  for (const std::string& name : dataset.class_names) {
    const auto found = known.find(name);
    check(found != known.end(), dataset.name, ": class ", shown(name), " is none of the ", class_names.size(),
          " known classes");
    positions.push_back(found->second);
  }
  for (std::int32_t& label : dataset.labels) label = positions[label];
  dataset.class_names = class_names;
  dataset.classes = std::ssize(class_names);
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
