// Which folder a split is.
#include "vit/data/image_folder.h"

#include <filesystem>
#include <optional>

#include "tensor/error.h"
#include "vit/data/image_files.h"
#include "vit/data/photographs.h"

namespace lookhere {
namespace {

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

}  // namespace

bool is_image_folder(const std::string& folder, bool train) { return split_of(folder, train).has_value(); }

Dataset read_image_folder(const std::string& folder, bool train, const DatasetOptions& options) {
  const std::optional<Split> split = split_of(folder, train);
  check(split.has_value(), folder, ": wanted folders of images, found none");
  Dataset dataset = photographs(list_images(split->root, options), split->part, options, folder);
  dataset.labels_by_name = true;
  return dataset;
}

}  // namespace lookhere
