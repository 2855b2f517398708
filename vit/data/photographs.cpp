// Divided by names, described by custom.
#include "vit/data/photographs.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/hash.h"
#include "vit/data/photo/source.h"

namespace lookhere {
namespace {

// Leaves the share of each class, or all but that.
void divide(ImageFiles& files, Part part, double share) {
  std::vector<std::uint64_t> hashes;
  for (const std::string& path : files.paths) hashes.push_back(hash_of(path.data(), std::ssize(path)));
  ImageFiles left{.root = files.root, .classes = files.classes, .archives = files.archives};
  for (std::size_t begin = 0, end = 0; begin < files.paths.size(); begin = end) {
    while (end < files.paths.size() && files.labels[end] == files.labels[begin]) ++end;
    std::vector<std::uint64_t> sorted(hashes.begin() + static_cast<long>(begin),
                                      hashes.begin() + static_cast<long>(end));
    std::ranges::sort(sorted);
    const auto held_out = static_cast<std::size_t>(std::lround(share * static_cast<double>(sorted.size())));
    for (std::size_t i = begin; i < end; ++i) {
      const bool low = held_out == sorted.size() || hashes[i] < sorted[held_out];
      if (low != (part == Part::held_out)) continue;
      left.paths.push_back(std::move(files.paths[i]));
      left.labels.push_back(files.labels[i]);
      if (!files.members.empty()) left.members.push_back(files.members[i]);
    }
  }
  files = std::move(left);
}

}  // namespace

Dataset photographs(ImageFiles files, Part part, const DatasetOptions& options, const std::string& source) {
  const double share = options.val_split;
  check(0 <= share && share <= 1, "val_split: wanted a share from 0 to 1, got ", share);
  const std::string& on_bad = options.on_bad_image;
  check(on_bad == "error" || on_bad == "skip", "on_bad_image: wanted error or skip, got ", shown(on_bad));
  if (part != Part::all) divide(files, part, share);
  check(!files.paths.empty(), source, ": holding out ", share, " of each class leaves no images to ",
        part == Part::kept ? "train with" : "test with", ": wanted another share, or data to train and to test with");
  Dataset dataset;
  dataset.channels = 3;
  dataset.classes = std::ssize(files.classes);
  dataset.class_names = files.classes;
  dataset.labels = files.labels;
  dataset.mirror_by_default = true;
  dataset.crop_ratio = 0.875;
  dataset.mean = {0.485F, 0.456F, 0.406F};
  dataset.std = {0.229F, 0.224F, 0.225F};
  dataset.images = photos_in_files(std::move(files), on_bad == "skip");
  return dataset;
}

}  // namespace lookhere
