// Where data sets come from: names that everyone knows, and folders.
#pragma once
#include "vit/data/dataset.h"

namespace lookhere {

struct DatasetOptions {
  // For the drawn set "shapes".
  long shapes_size = 32;                         // pixels per side
  long shapes_train = 8192, shapes_test = 2048;  // images per split
  std::uint64_t seed = 0;
  // For the set "glyphs", drawn from the fonts of the machine (vit/data/glyphs/glyphs.h).
  long glyphs_size = 32;                          // pixels per side
  long glyphs_train = 18400, glyphs_test = 4600;  // images per split
  std::vector<double> glyphs_zoom{0.4, 0.7};      // LOW and HIGH of a glyph's longer side by the image's
  // For photographs, in folders and in archives (vit/data/image_folder.h, webdataset.h).
  bool natural_class_order = false;    // class10 after class2, as timm has it; else torchvision's plain order of bytes
  std::string class_map = {};          // file with a class' folder per line: these classes, in this order
  double val_split = 0.1;              // share held out of each class where there is no folder to test with
  std::string on_bad_image = "error";  // or skip: another image of the class in its place
};

// One split of a data set; the other is not looked at. source: "fashion", "cifar10" or "cifar100" (subfolders
// fashion-mnist, cifar-10-batches-bin and cifar-100-binary of $LOOKHERE_DATA, by default /usr/share/datasets, where
// Debian's dataset-fashion-mnist puts its files); "shapes" (drawn, needs no files); "glyphs" (drawn, needs fonts); a
// folder of one of the formats (vit/data/format.h); or tar archives (vit/data/webdataset.h). Whatever way they are
// named, published sets have their published mean and std, photographs ImageNet's, other training splits their own. A
// test split that is neither describes nothing: classes is 0, class_names, mean and std are empty until a training set
// (load_test_set) or a model says what they are. Throws Error if the source is unknown, missing or malformed.
Dataset load_dataset(const std::string& source, bool train, const DatasetOptions& options = {});

// "fashion, shapes, glyphs, cifar10, cifar100, a folder of IDX, CIFAR-10, CIFAR-100, JPEG/PNG or webdataset files, or
// FILE.tar": what a source may be.
const char* source_help();

// Is this the name of a set, rather than a folder?
bool is_named_dataset(const std::string& source);
// From the root, the same for a folder with and without a last /.
std::string absolute_path(const std::string& path);
// For people: a set's name, or what the folder or file is called.
std::string title_of_dataset(const std::string& source);

// The test split that belongs to a training split: described by it. Throws Error if they do not fit together.
Dataset load_test_set(const std::string& source, const Dataset& training, const DatasetOptions& options = {});

}  // namespace lookhere
