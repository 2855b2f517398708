// Names taken apart by one pattern.
#include "vit/data/idx_folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <vector>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/system/posix.h"
#include "tensor/text.h"
#include "vit/data/idx.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

struct Name {
  std::string file, set, split, what;  // set: what stands before the split, "" for MNIST's own names
  bool packed;
};

std::vector<Name> idx_names(const fs::path& folder) {
  static const std::regex pattern(
      R"((?:(.+)[-._])?(train|t10k|test)[-._](images|labels)(?:[-._]idx\d?)?(?:[-._](?:u?byte|short|int|float|double))?(\.gz)?)");
  std::vector<Name> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const std::string file = it->path().filename().string();
    std::smatch part;
    if (!std::regex_match(file, part, pattern) || !fs::is_regular_file(it->path(), ignored)) continue;
    names.push_back({file, part[1], part[2], part[3], part[4].matched});
    std::ranges::replace_if(
        names.back().set, [](char c) { return c == '.' || c == '_'; }, '-');
  }
  check_system(error, "list", folder.string());
  std::ranges::sort(names, {}, [](const Name& name) { return std::pair(name.packed, name.file); });
  return names;
}

// At most one kind: what `kind` tells apart must be the same for all.
void check_one_kind(const std::string& folder, const std::vector<Name>& names, std::string Name::*kind) {
  std::map<std::string, std::string> examples;
  for (const Name& name : names) examples.emplace(name.*kind, name.file);
  std::vector<std::string> all;
  all.reserve(examples.size());
  for (const auto& entry : examples) all.push_back(shown(entry.second));
  check(all.size() <= 1, folder, ": holds several data sets: wanted one, got ", joined(all));
}

}  // namespace

std::optional<IdxFiles> find_idx(const std::string& folder, bool train) {
  std::vector<Name> names = idx_names(folder);
  check_one_kind(folder, names, &Name::set);
  std::erase_if(names, [&](const Name& name) { return (name.split == "train") != train; });
  if (names.empty()) return std::nullopt;
  check_one_kind(folder, names, &Name::split);
  const auto path_of = [&](const char* what) {
    const auto found = std::ranges::find(names, what, &Name::what);
    check(found != names.end(), folder, ": wanted a file of ", what, " beside ", shown(names[0].file), ", found none");
    return (fs::path(folder) / found->file).string();
  };
  return IdxFiles{.images = path_of("images"), .labels = path_of("labels")};
}

bool is_idx_folder(const std::string& folder, bool train) {
  std::error_code ignored;
  return fs::is_directory(folder, ignored) && find_idx(folder, train).has_value();
}

Dataset read_idx_folder(const std::string& folder, bool train) {
  const std::optional<IdxFiles> files = find_idx(folder, train);
  check(files.has_value(), folder, ": wanted IDX files, found none");
  return read_idx_dataset(files->images, files->labels);
}

}  // namespace lookhere
