// Which folder a split is.
#include "vit/data/image_folder.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <span>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/text.h"
#include "vit/data/image_files.h"
#include "vit/data/photographs.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

constexpr std::array kTrainingNames{"train", "training"};

struct Split {
  std::string root;
  Part part;
};

// The folder in `folder` with class folders that is called so: without capitals first, then in the order of the names.
// Empty: there is none.
std::string called(const std::string& folder, std::span<const char* const> names) {
  std::vector<std::tuple<bool, long, std::string>> found;
  for (const std::string& name : folders_in(folder)) {
    const std::string lower = lower_case(name);
    if (const auto known = std::ranges::find(names, lower); known != names.end())
      found.emplace_back(name != lower, known - names.begin(), (fs::path(folder) / name).string());
  }
  std::ranges::sort(found);
  for (const auto& [capitals, rank, path] : found)
    if (has_class_folders(path)) return path;
  return "";
}

std::optional<Split> split_of(const std::string& folder, bool train) {
  std::string test = called(folder, kValidationNames);
  if (test.empty()) test = called(folder, kTestNames);
  const Part part = train ? Part::kept : Part::held_out;
  if (!train && !test.empty()) return Split{test, Part::all};
  if (const std::string training = called(folder, kTrainingNames); !training.empty())
    return Split{training, test.empty() ? part : Part::all};
  if (test.empty() && has_class_folders(folder)) return Split{folder, part};
  return std::nullopt;
}

// Where classes are: of both splits, which may be the same folder.
std::set<std::string> roots_of(const std::string& folder) {
  std::set<std::string> roots;
  for (const bool train : {true, false})
    if (const std::optional<Split> split = split_of(folder, train)) roots.insert(split->root);
  return roots;
}

fs::path whole_path(const std::string& path) {
  std::error_code ignored;
  return fs::weakly_canonical(fs::absolute(path, ignored), ignored);
}

}  // namespace

bool is_image_folder(const std::string& folder, bool train) { return split_of(folder, train).has_value(); }

Dataset read_image_folder(const std::string& folder, bool train, const DatasetOptions& options) {
  const std::optional<Split> split = split_of(folder, train);
  check(split.has_value(), folder, ": wanted folders of images, found none");
  ImageFiles files = list_images(split->root, options);
  check(!train || files.classes.size() > 1, options.class_map.empty() ? split->root : options.class_map,
        ": wanted at least two class folders, found one, ", shown(files.classes.front()));
  Dataset dataset = photographs(std::move(files), split->part, options, folder);
  dataset.labels_by_name = true;
  return dataset;
}

bool is_among_classes(const std::string& folder, const std::string& path) {
  const fs::path inner = whole_path(path);
  return std::ranges::any_of(roots_of(folder), [&](const std::string& root) {
    const fs::path outer = whole_path(root);
    const auto [end, below] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    return end == outer.end() && below != inner.end();
  });
}

std::string passed_over(const std::string& folder) {
  std::set<std::string> endings;
  long count = 0;
  for (const std::string& root : roots_of(folder))
    for (const auto& [ending, files] : other_files(root))
      endings.insert(ending.empty() ? "without an ending" : ending), count += files;
  if (count == 0) return "";
  return concat(count, count == 1 ? " file" : " files", " passed over: ", joined({endings.begin(), endings.end()}));
}

}  // namespace lookhere
