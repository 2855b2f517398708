// Finds a data set by name or folder, and gives it classes and statistics.
#include "vit/data/sources.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "tensor/file.h"
#include "tensor/shape.h"
#include "tensor/text.h"
#include "vit/data/format.h"
#include "vit/data/glyphs/glyphs.h"
#include "vit/data/image_files.h"
#include "vit/data/shapes.h"
#include "vit/data/webdataset.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

struct Named {
  const char *source, *folder, *advice;
  long classes;
  Dataset (*draw)(bool train, const DatasetOptions& options) = nullptr;  // where the set has no folder
};
constexpr const char* kCifarAdvice = "unpack its binary version (www.cs.toronto.edu/~kriz/cifar.html) there";
constexpr std::array<Named, 5> kNamed{{{"fashion", "fashion-mnist", "install Debian's dataset-fashion-mnist", 10},
                                       {"shapes", nullptr, nullptr, 8, make_shapes},
                                       {"glyphs", nullptr, nullptr, 46, make_glyphs},
                                       {"cifar10", "cifar-10-batches-bin", kCifarAdvice, 10},
                                       {"cifar100", "cifar-100-binary", kCifarAdvice, 100}}};
constexpr const char* kStandardRoot = "/usr/share/datasets";

std::string all_names() {
  std::vector<std::string> names;
  names.reserve(kNamed.size());
  for (const Named& set : kNamed) names.emplace_back(set.source);
  return joined(names);
}
// "IDX, CIFAR-10 or CIFAR-100", by what is said of each.
template <class Text>
std::string all_formats(const Text& text) {
  std::string list;
  for (std::size_t i = 0; i < formats().size(); ++i)
    list += concat(i == 0 ? "" : i + 1 < formats().size() ? ", " : " or ", text(formats()[i]));
  return list;
}

// What Fashion-MNIST's files do not say. CIFAR's are described where they are read.
void describe_fashion(Dataset& dataset) {
  dataset.class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                         "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  dataset.classes = static_cast<long>(dataset.class_names.size());
  dataset.mean = {0.2860F};
  dataset.std = {0.3530F};
}

// Never throw: what cannot be looked at is not there.
bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}
bool is_same_folder(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

fs::path folder_of(const Named& set) {
  const char* chosen = std::getenv("LOOKHERE_DATA");
  fs::path folder = fs::path(chosen ? chosen : kStandardRoot) / set.folder;
  check_io(is_folder(folder), set.source, ": no folder ", folder.string(), chosen ? " (LOOKHERE_DATA is set): " : ": ",
           set.advice, ", or use --data shapes, which always works");
  return folder;
}

bool is_fashion(const fs::path& folder) {
  const char *chosen = std::getenv("LOOKHERE_DATA"), *name = kNamed[0].folder;
  return is_same_folder(folder, fs::path(kStandardRoot) / name) ||
         (chosen && is_same_folder(folder, fs::path(chosen) / name));
}

// For who has laid all pictures beside each other: they were seen.
std::string loose_pictures(const std::string& folder) {
  const long count = is_folder(folder) ? loose_images(folder) : 0;
  return count ? concat("; ", count, count == 1 ? " picture lies" : " pictures lie", " in the folder itself") : "";
}

const Format& format_of(const std::string& folder, bool train) {
  std::vector<const Format*> found;
  std::string names;
  for (const Format& format : formats())
    if (format.is_in(folder, train))
      found.push_back(&format), names += concat(names.empty() ? "" : " and ", format.name);
  check(found.size() <= 1, folder, ": holds several data sets: wanted one, got ", names);
  check(!found.empty(), folder, ": wanted a data set of ", all_formats([&](const Format& format) {
    return concat(format.name, " (", train ? format.training_file : format.test_file, ")");
  }),
        ", found none", loose_pictures(folder));
  return *found[0];
}

Dataset load_folder(const std::string& folder, bool train, const DatasetOptions& options) {
  Dataset dataset = format_of(folder, train).read(folder, train, options);
  if (!dataset.mean.empty()) return dataset;  // published, or what photographs commonly have
  if (is_fashion(folder)) {
    describe_fashion(dataset);
  } else if (train) {
    set_statistics(dataset);
  } else {  // that its labels end somewhere does not make it a set of so many classes
    dataset.classes = 0;
    dataset.class_names.clear();
  }
  return dataset;
}

}  // namespace

Dataset load_dataset(const std::string& source, bool train, const DatasetOptions& options) {
  const auto* set = std::ranges::find(kNamed, source, &Named::source);
  const bool named = set != kNamed.end();
  if (named && set->draw) return set->draw(train, options);
  check_io(named || is_folder(source) || names_archives(source), "data: no such folder or set, ", shown(source),
           ": wanted ", all_names(), ", a folder or FILE.tar");
  const std::string folder = named ? folder_of(*set).string() : source;
  Dataset dataset = load_folder(folder, train, options);
  dataset.name = source;
  check(!named || dataset.classes == set->classes, folder, ": wanted ", source, " with its ", named ? set->classes : 0,
        " classes, got ", dataset.classes);
  if (dataset.classes > 0) check_consistent(dataset);
  return dataset;
}

const char* source_help() {
  static const std::string help =
      concat(all_names(), ", a folder of ", all_formats(std::mem_fn(&Format::name)), " files, or FILE.tar");
  return help.c_str();
}

bool is_named_dataset(const std::string& source) {
  return std::ranges::find(kNamed, source, &Named::source) != kNamed.end();
}
std::string absolute_path(const std::string& path) {
  return (fs::absolute(path) / "").lexically_normal().parent_path().string();
}
std::string title_of_dataset(const std::string& source) {
  return is_named_dataset(source) ? source : fs::path(absolute_path(source)).filename().string();
}

Dataset load_test_set(const std::string& source, const Dataset& training, const DatasetOptions& options) {
  Dataset test = load_dataset(source, false, options);
  check(test.channels == training.channels && test.height == training.height && test.width == training.width, source,
        ": test images are ", Shape{test.channels, test.height, test.width}, ", training images ",
        Shape{training.channels, training.height, training.width});
  if (test.labels_by_name) relabel(test, training.class_names);
  test.classes = training.classes;
  test.class_names = training.class_names;
  test.mean = training.mean;
  test.std = training.std;
  test.crop_ratio = training.crop_ratio;
  test.interpolation = training.interpolation;
  check_consistent(test);
  return test;
}

}  // namespace lookhere
