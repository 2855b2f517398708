// Which folder a split is, and which of its files.
#include "vit/data/image_folder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/hash.h"
#include "vit/data/image_files.h"
#include "vit/data/photo/source.h"

namespace lookhere {
namespace {

enum class Part { all, kept, held_out };
struct Split {
  std::string root;
  Part part;
};

std::optional<Split> split_of(const std::string& folder, bool train) {
  const auto below = [&](const char* name) { return (std::filesystem::path(folder) / name).string(); };
  std::string test;
  for (const char* name : {"val", "test"})
    if (test.empty() && has_class_folders(below(name))) test = below(name);
  const Part part = train ? Part::kept : Part::held_out;
  if (!train && !test.empty()) return Split{test, Part::all};
  if (has_class_folders(below("train"))) return Split{below("train"), test.empty() ? part : Part::all};
  if (test.empty() && has_class_folders(folder)) return Split{folder, part};
  return std::nullopt;
}

// Leaves the share of each class, or all but that.
void divide(ImageFiles& files, Part part, double share) {
  std::vector<std::uint64_t> hashes;
  for (const std::string& path : files.paths) hashes.push_back(hash_of(path.data(), std::ssize(path)));
  ImageFiles left{.root = files.root, .classes = files.classes, .paths = {}, .labels = {}};
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
    }
  }
  files = std::move(left);
}

}  // namespace

bool is_image_folder(const std::string& folder, bool train) { return split_of(folder, train).has_value(); }

Dataset read_image_folder(const std::string& folder, bool train, const DatasetOptions& options) {
  const double share = options.val_split;
  check(0 <= share && share <= 1, "val_split: wanted a share from 0 to 1, got ", share);
  const std::string& on_bad = options.on_bad_image;
  check(on_bad == "error" || on_bad == "skip", "on_bad_image: wanted error or skip, got ", shown(on_bad));
  const std::optional<Split> split = split_of(folder, train);
  check(split.has_value(), folder, ": wanted folders of images, found none");
  ImageFiles files = list_images(split->root, options);
  if (split->part != Part::all) divide(files, split->part, share);
  check(!files.paths.empty(), folder, ": holding out ", share, " of each class leaves no images to ",
        train ? "train with" : "test with", ": wanted another share, or folders train and val");
  Dataset dataset;
  dataset.channels = 3;
  dataset.classes = std::ssize(files.classes);
  dataset.class_names = files.classes;
  dataset.labels = files.labels;
  dataset.labels_by_name = dataset.mirror_by_default = true;
  dataset.crop_ratio = 0.875;
  dataset.mean = {0.485F, 0.456F, 0.406F};
  dataset.std = {0.229F, 0.224F, 0.225F};
  dataset.images = photos_in_files(std::move(files), on_bad == "skip",
                                   {.wanted_height = options.decode_side, .wanted_width = options.decode_side});
  return dataset;
}

}  // namespace lookhere
