// Walks folders; nothing but names is looked at.
#include "vit/data/image_files.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <functional>
#include <set>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/system/posix.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 16;  // beyond it a link leads back up
constexpr long kMaxMapBytes = 16L << 20;

std::string ending_of(const std::string& name) { return lower_case(fs::path(name).extension().string()); }

// The names in a folder that do not begin with a dot, of folders or of files; links are what they lead to.
std::vector<std::string> names_in(const std::string& folder, bool folders) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    std::string name = it->path().filename().string();
    if (!name.starts_with('.') && it->is_directory(ignored) == folders) names.push_back(std::move(name));
  }
  check_system(error, "list", folder);
  return names;
}

// Calls found(folder, file) for all files in root/folder and below, until a call says that it is enough.
using Found = std::function<bool(const std::string& folder, std::string file)>;
bool any_file(const std::string& root, const std::string& folder, const Found& found, int depth = 1) {
  const std::string path = (fs::path(root) / folder).string();
  check(depth <= kMaxDepth, path, ": wanted at most ", kMaxDepth,
        " folders, one in another; is there a link to itself?");
  for (std::string& file : names_in(path, false))
    if (found(folder, std::move(file))) return true;
  return std::ranges::any_of(names_in(path, true), [&](const std::string& below) {
    return any_file(root, (fs::path(folder) / below).string(), found, depth + 1);
  });
}
bool any_image(const std::string& root, const std::string& folder, const Found& found) {
  return any_file(root, folder, [&](const std::string& in, std::string file) {
    return is_image_name(file) && found(in, std::move(file));
  });
}

// As timm orders: parts that are digits by their number, others without regard to capitals.
bool naturally_before(const std::string& a, const std::string& b) {
  const auto part = [](const std::string& text, std::size_t& at, bool digits) {
    std::string found;
    while (at < text.size() && (std::isdigit(static_cast<unsigned char>(text[at])) != 0) == digits)
      found += static_cast<char>(std::tolower(static_cast<unsigned char>(text[at++])));
    if (digits) found.erase(0, std::min(found.find_first_not_of('0'), found.size()));
    return found;
  };
  bool digits = false;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size(); digits = !digits) {
    const std::string left = part(a, i, digits), right = part(b, j, digits);
    if (digits && left.size() != right.size()) return left.size() < right.size();
    if (left != right) return left < right;
    if (i == a.size() && j == b.size()) break;  // equal so far: capitals or zeros decide
    if (i == a.size() || j == b.size()) return i == a.size();
  }
  return a < b;
}

// One name per line.
std::vector<std::string> class_map(const std::string& path) {
  const MappedFile file(path);
  check(file.size() <= kMaxMapBytes, path, ": ", file.size(), " bytes, more than the limit of ", kMaxMapBytes);
  std::vector<std::string> classes;
  std::set<std::string> known;
  for (std::string_view rest = file.text(); !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string name(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (name.ends_with('\r')) name.pop_back();
    const std::size_t line = classes.size() + 1;
    check(!name.empty() && name.find('/') == std::string::npos && !name.starts_with('.'), path, ": line ", line,
          ": wanted the name of a class' folder, got ", shown(name));
    check(known.insert(name).second, path, ": line ", line, ": ", shown(name), " is there twice");
    classes.push_back(std::move(name));
  }
  check(!classes.empty(), path, ": wanted one class name per line, got an empty file");
  return classes;
}

}  // namespace

bool has_class_folders(const std::string& root) {
  return std::ranges::any_of(folders_in(root), [&](const std::string& name) {
    return any_image(root, name, [](const std::string&, const std::string&) { return true; });
  });
}

std::vector<std::string> folders_in(const std::string& root) {
  std::error_code ignored;
  return fs::is_directory(root, ignored) ? names_in(root, true) : std::vector<std::string>();
}

bool is_image_name(const std::string& name) {
  static constexpr std::array<const char*, 9> kEndings{".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                                       ".pgm", ".tif",  ".tiff", ".webp"};
  return std::ranges::find(kEndings, ending_of(name)) != kEndings.end();
}

long loose_images(const std::string& folder) { return std::ranges::count_if(names_in(folder, false), is_image_name); }

std::map<std::string, long> other_files(const std::string& root) {
  std::map<std::string, long> counts;
  for (const std::string& folder : folders_in(root))
    any_file(root, folder, [&](const std::string&, const std::string& file) {
      if (!is_image_name(file)) ++counts[ending_of(file)];
      return false;
    });
  return counts;
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

ImageFiles list_images(const std::string& root, const DatasetOptions& options) {
  ImageFiles files{.root = root, .classes = names_in(root, true)};
  std::ranges::sort(files.classes);
  const std::set<std::string> folders(files.classes.begin(), files.classes.end());
  if (options.natural_class_order) std::ranges::sort(files.classes, naturally_before);
  const bool mapped = !options.class_map.empty();
  if (mapped) files.classes = class_map(options.class_map);
  for (std::size_t label = 0; label < files.classes.size(); ++label) {
    const std::string& name = files.classes[label];
    if (mapped && !folders.contains(name)) continue;
    std::vector<std::pair<std::string, std::string>> found;
    any_image(root, name, [&](const std::string& folder, std::string file) {
      found.emplace_back(folder, std::move(file));
      return false;
    });
    check(!found.empty(), (fs::path(root) / name).string(), ": wanted images of the class, found none");
    std::ranges::sort(found);
    for (const auto& [folder, file] : found) files.paths.push_back((fs::path(folder) / file).string());
    files.labels.resize(files.paths.size(), static_cast<std::int32_t>(label));
  }
  check(!files.paths.empty(), root, ": wanted a folder of images for each class, found none");
  return files;
}

}  // namespace lookhere
