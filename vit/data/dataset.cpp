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
#include "vit/data/idx_folder.h"
#include "vit/data/shapes.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

struct Published {
  const char *source, *folder, *advice;
  long classes;
};

constexpr const char* kCifarAdvice = "unpack its binary version (www.cs.toronto.edu/~kriz/cifar.html) there";
constexpr std::array<Published, 3> kPublished{
    {{"fashion", "fashion-mnist", "install Debian's dataset-fashion-mnist", 10},
     {"cifar10", "cifar-10-batches-bin", kCifarAdvice, 10},
     {"cifar100", "cifar-100-binary", kCifarAdvice, 100}}};
constexpr const char* kStandardRoot = "/usr/share/datasets";

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
bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}
bool is_same_folder(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

fs::path folder_of(const Published& set) {
  const char* chosen = std::getenv("LOOKHERE_DATA");
  fs::path folder = fs::path(chosen ? chosen : kStandardRoot) / set.folder;
  check_io(is_folder(folder), set.source, ": no folder ", folder.string(), chosen ? " (LOOKHERE_DATA is set): " : ": ",
           set.advice, ", or use --data shapes, which always works");
  return folder;
}

bool is_fashion(const fs::path& folder) {
  const char *chosen = std::getenv("LOOKHERE_DATA"), *name = kPublished[0].folder;
  return is_same_folder(folder, fs::path(kStandardRoot) / name) ||
         (chosen && is_same_folder(folder, fs::path(chosen) / name));
}

// One split, described as far as its own files go.
Dataset read_split(const std::string& folder, bool train) {
  const auto has = [&](const char* name) { return is_file(fs::path(folder) / name); };
  const bool cifar10 = has("data_batch_1.bin") || has("test_batch.bin"), cifar100 = has("train.bin") || has("test.bin");
  const std::optional<IdxFiles> idx = find_idx(folder, train);
  check(cifar10 + cifar100 + idx.has_value() <= 1, folder, ": holds several data sets: wanted one, got",
        cifar10 ? " CIFAR-10" : "", cifar100 ? " CIFAR-100" : "", idx ? " IDX" : "");
  check(cifar10 || cifar100 || idx, folder, ": wanted IDX (", train ? "train-" : "t10k-", "images-idx...) or CIFAR ",
        "binary files (", train ? "data_batch_1.bin, train.bin" : "test_batch.bin, test.bin", "), found neither");
  if (cifar10) return read_cifar10(folder, train);
  if (cifar100) return read_cifar100(folder, train);
  return read_idx_dataset(idx->images, idx->labels);
}

Dataset load_folder(const std::string& folder, bool train) {
  Dataset dataset = read_split(folder, train);
  if (!dataset.mean.empty()) return dataset;  // CIFAR
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

const std::uint8_t* Dataset::image(long i) const {
  check(0 <= i && i < size() && (i + 1) * image_size() <= static_cast<long>(pixels.size()), name, ": no image ", i,
        " of ", size());
  return pixels.data() + i * image_size();
}

Dataset load_dataset(const std::string& source, bool train, const DatasetOptions& options) {
  if (source == "shapes") return make_shapes(train, options);
  const auto* published = std::ranges::find(kPublished, source, &Published::source);
  const bool named = published != kPublished.end();
  check_io(named || is_folder(source), "data: wanted fashion, shapes, cifar10, cifar100 or a folder, got \"", source,
           "\"");
  const std::string folder = named ? folder_of(*published).string() : source;
  Dataset dataset = load_folder(folder, train);
  dataset.name = source;
  check(!named || dataset.classes == published->classes, folder, ": wanted ", source, " with its ",
        named ? published->classes : 0, " classes, got ", dataset.classes);
  if (dataset.classes > 0) check_consistent(dataset);
  return dataset;
}

bool is_named_dataset(const std::string& source) {
  return source == "shapes" || std::ranges::find(kPublished, source, &Published::source) != kPublished.end();
}

Dataset load_test_set(const std::string& source, const Dataset& training, const DatasetOptions& options) {
  Dataset test = load_dataset(source, false, options);
  check(test.channels == training.channels && test.height == training.height && test.width == training.width, source,
        ": test images are ", Shape{test.channels, test.height, test.width}, ", training images ",
        Shape{training.channels, training.height, training.width});
  test.classes = training.classes;
  test.class_names = training.class_names;
  test.mean = training.mean;
  test.std = training.std;
  check_consistent(test);
  return test;
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
