// Finds a data set by name or folder, and gives it classes and statistics.
#include "vit/data/dataset.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "tensor/file.h"
#include "tensor/shape.h"
#include "vit/data/cifar.h"
#include "vit/data/idx.h"
#include "vit/data/shapes.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

struct Published {
  const char *source, *folder, *advice;
  std::vector<float> mean, std;
  std::vector<std::string> class_names;  // empty: those that the files bring
};

const Published* find_published(const std::string& source) {
  static const char* const cifar = "unpack its binary version (www.cs.toronto.edu/~kriz/cifar.html) there";
  static const std::array<Published, 3> sets{{
      {"fashion",
       "fashion-mnist",
       "install Debian's dataset-fashion-mnist",
       {0.2860F},
       {0.3530F},
       {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}},
      {"cifar10", "cifar-10-batches-bin", cifar, {0.4914F, 0.4822F, 0.4465F}, {0.2470F, 0.2435F, 0.2616F}, {}},
      {"cifar100", "cifar-100-binary", cifar, {0.5071F, 0.4865F, 0.4409F}, {0.2673F, 0.2564F, 0.2762F}, {}},
  }};
  const auto* found = std::find_if(sets.begin(), sets.end(), [&](const auto& set) { return set.source == source; });
  return found == sets.end() ? nullptr : found;
}

// Never throw: what cannot be looked at is not there.
bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}
bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::vector<std::string> sorted_file_names(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename().string());
  check_system(error, "list", folder.string());
  std::sort(names.begin(), names.end());  // a plain file comes before its .gz
  return names;
}

// "train-images-idx3-ubyte", "t10k-labels.idx1-ubyte.gz" and the like.
std::string find_idx(const fs::path& folder, bool train, const std::string& what) {
  for (const std::string& name : sorted_file_names(folder))
    for (const char* split : train ? std::array{"train-", "train-"} : std::array{"t10k-", "test-"})
      if (name.starts_with(split + what)) return (folder / name).string();
  fail(folder.string(), ": wanted IDX (", train ? "train-" : "t10k-", what, "-idx...) or CIFAR binary files (",
       train ? "data_batch_1.bin, train.bin" : "test_batch.bin, test.bin", "), found neither");
}

// One split, still without statistics.
Dataset read_split(const fs::path& folder, bool train) {
  const auto has = [&](const char* name) { return is_there(folder / name); };
  if (has("data_batch_1.bin") || has("test_batch.bin")) return read_cifar10(folder.string(), train);
  if (has("train.bin") || has("test.bin")) return read_cifar100(folder.string(), train);
  return read_idx_dataset(find_idx(folder, train, "images"), find_idx(folder, train, "labels"));
}

Dataset load_published(const Published& set, bool train) {
  const char* chosen = std::getenv("LOOKHERE_DATA");
  const fs::path folder = fs::path(chosen ? chosen : "/usr/share/datasets") / set.folder;
  check_io(is_folder(folder), set.source, ": no folder ", folder.string(), chosen ? " (LOOKHERE_DATA is set): " : ": ",
           set.advice, ", or use --data shapes, which always works");
  Dataset dataset = read_split(folder, train);
  if (!set.class_names.empty()) {
    dataset.class_names = set.class_names;
    dataset.classes = static_cast<long>(set.class_names.size());
  }
  check(dataset.channels == static_cast<long>(set.mean.size()), folder.string(), ": wanted ", set.mean.size(),
        " channels, got ", dataset.channels);
  dataset.mean = set.mean;
  dataset.std = set.std;
  return dataset;
}

// The test split is described by the training split: its statistics and its classes.
Dataset load_folder(const fs::path& folder, bool train) {
  Dataset training = read_split(folder, true);
  set_statistics(training);
  if (train) return training;
  Dataset test = read_split(folder, false);
  check(test.channels == training.channels && test.height == training.height && test.width == training.width,
        folder.string(), ": test images are ", Shape{test.channels, test.height, test.width}, ", training images ",
        Shape{training.channels, training.height, training.width});
  test.classes = training.classes;
  test.class_names = training.class_names;
  test.mean = training.mean;
  test.std = training.std;
  return test;
}

}  // namespace

const std::uint8_t* Dataset::image(long i) const {
  check(0 <= i && i < size() && (i + 1) * image_size() <= static_cast<long>(pixels.size()), name, ": no image ", i,
        " of ", size());
  return pixels.data() + i * image_size();
}

Dataset load_dataset(const std::string& source, bool train, const DatasetOptions& options) {
  if (source == "shapes") return make_shapes(train, options);
  const Published* published = find_published(source);
  check_io(published || is_folder(source), "data: wanted fashion, shapes, cifar10, cifar100 or a folder, got \"",
           source, "\"");
  Dataset dataset = published ? load_published(*published, train) : load_folder(source, train);
  dataset.name = source;
  check_consistent(dataset);
  return dataset;
}

void set_statistics(Dataset& dataset) {
  const long plane = dataset.height * dataset.width;
  dataset.mean.assign(dataset.channels, 0);
  dataset.std.assign(dataset.channels, 1);
  for (long c = 0; c < dataset.channels && dataset.size() > 0; ++c) {
    std::array<double, 256> count{};  // whole numbers: exact in any order
    for (long i = 0; i < dataset.size(); ++i)
      for (long p = 0; p < plane; ++p) ++count[dataset.image(i)[c * plane + p]];
    double sum = 0, squares = 0;
    for (int v = 0; v < 256; ++v) sum += count[v] * v;
    const double n = static_cast<double>(dataset.size()) * plane, mean = sum / n;
    for (int v = 0; v < 256; ++v) squares += count[v] * (v - mean) * (v - mean);
    dataset.mean[c] = static_cast<float>(mean / 255);
    if (squares > 0) dataset.std[c] = static_cast<float>(std::sqrt(squares / n) / 255);
  }
}

void check_consistent(const Dataset& d) {
  check(d.size() > 0 && d.image_size() > 0, d.name, ": no images");
  check(checked_mul(d.size(), d.image_size()) == static_cast<long>(d.pixels.size()), d.name, ": wanted ", d.size(),
        " images of ", Shape{d.channels, d.height, d.width}, ", got ", d.pixels.size(), " pixels");
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
