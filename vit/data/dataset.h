// Dataset: labelled 8-bit images in memory, and the places they come from.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace lookhere {

struct Dataset {
  std::string name;
  long channels = 0, height = 0, width = 0, classes = 0;
  std::vector<std::uint8_t> pixels;      // (n, c, h, w)
  std::vector<std::int32_t> labels;      // (n), each in [0, classes)
  std::vector<std::string> class_names;  // (classes)
  std::vector<float> mean, std;          // (c), of pixel / 255, to normalise with
  bool mirror_keeps_label = true;        // false where a mirrored image belongs to another class, as east and west do
  bool mirror_by_default = false;        // true for photographs of things, which may as well be seen mirrored

  long size() const { return static_cast<long>(labels.size()); }
  long image_size() const { return channels * height * width; }
  // The pixels (c, h, w) of image i; throws if there is no such image.
  const std::uint8_t* image(long i) const;
};

struct DatasetOptions {                          // for the drawn set "shapes"; files are what they are
  long shapes_size = 32;                         // pixels per side
  long shapes_train = 8192, shapes_test = 2048;  // images per split
  std::uint64_t seed = 0;
};

// One split of a data set; the other is not looked at. source: "fashion", "cifar10" or "cifar100" (subfolders
// fashion-mnist, cifar-10-batches-bin and cifar-100-binary of $LOOKHERE_DATA, by default /usr/share/datasets, where
// Debian's dataset-fashion-mnist puts its files); "shapes" (drawn, needs no files); or a folder with IDX or CIFAR
// binary files, told apart by their names. Whatever way they are named, published sets have their published mean and
// std, other training splits their own. A test split that is not of a published set describes nothing: classes is 0,
// class_names, mean and std are empty until a training set (load_test_set) or a model says what they are. Throws Error
// if the source is unknown, missing or malformed.
Dataset load_dataset(const std::string& source, bool train, const DatasetOptions& options = {});

// Is this the name of a set, rather than a folder?
bool is_named_dataset(const std::string& source);

// The test split that belongs to a training split: described by it. Throws Error if they do not fit together.
Dataset load_test_set(const std::string& source, const Dataset& training, const DatasetOptions& options = {});

// Sets mean and std from the pixels. A constant channel gets std 1, so that normalising stays finite.
void set_statistics(Dataset& dataset);
// Throws Error unless the counts agree, labels lie in [0, classes) and std is positive.
void check_consistent(const Dataset& dataset);

}  // namespace lookhere
