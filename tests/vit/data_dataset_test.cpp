// Data sets by name: where they are looked for, and what is said when they are missing.
#include "vit/data/dataset.h"

#include <algorithm>

#include "tests/testing.h"
#include "vit/data/shapes.h"

namespace lookhere {
namespace {

// Restores the variable, so that tests do not see each other's.
class DataFolder {
 public:
  explicit DataFolder(const std::string& path) {
    if (const char* old = std::getenv("LOOKHERE_DATA")) old_ = old;
    setenv("LOOKHERE_DATA", path.c_str(), 1);
  }
  ~DataFolder() { old_.empty() ? unsetenv("LOOKHERE_DATA") : setenv("LOOKHERE_DATA", old_.c_str(), 1); }

 private:
  std::string old_;
};

TEST(Data, MissingSetsSayWhatToDo) {
  const TemporaryFolder folder;
  const DataFolder here(folder.path().string());
  EXPECT_ERROR(load_dataset("fashion", true), "install Debian's dataset-fashion-mnist, or use --data shapes");
  EXPECT_ERROR(load_dataset("cifar10", true), "(LOOKHERE_DATA is set): unpack its binary version");
  EXPECT_ERROR(load_dataset("fishes", true), "wanted fashion, shapes, cifar10, cifar100 or a folder, got \"fishes\"");
  std::filesystem::create_directory(folder / "fashion-mnist");
  write_file(folder / "fashion-mnist/train-images-idx3-ubyte",
             std::string{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7});
  write_file(folder / "fashion-mnist/train-labels-idx1-ubyte", std::string{0, 0, 8, 1, 0, 0, 0, 1, 2});
  const Dataset fashion = load_dataset("fashion", true);
  EXPECT_EQ(fashion.classes, 10);
  EXPECT_EQ(fashion.class_names[9], "Ankle boot");
}

TEST(Data, ChecksConsistency) {
  Dataset d;
  EXPECT_ERROR(check_consistent(d), "no images");
  d = make_shapes(true, {.shapes_size = 2, .shapes_train = 8});
  check_consistent(d);
  d.mean.pop_back();
  EXPECT_ERROR(check_consistent(d), "shapes: wanted mean and std of 3 channels, got 2 and 3");
  d = make_shapes(true, {.shapes_size = 2, .shapes_train = 8});
  d.std[1] = 0;
  EXPECT_ERROR(check_consistent(d), "shapes: std must be positive, got 0");
  d.class_names.pop_back();
  EXPECT_ERROR(check_consistent(d), "shapes: wanted 8 class names, got 7");
}

TEST(Data, Fashion) {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"))
    GTEST_SKIP() << "Debian's dataset-fashion-mnist is not installed";
  const DataFolder here("/usr/share/datasets");
  Dataset train = load_dataset("fashion", true), test = load_dataset("fashion", false);
  EXPECT_EQ((std::vector{train.size(), test.size(), train.channels, train.height}),
            (std::vector{60000L, 10000L, 1L, 28L}));
  EXPECT_EQ(std::count(train.labels.begin(), train.labels.end(), 7), 6000);
  EXPECT_EQ(test.labels[0], 9);  // an ankle boot comes first
  set_statistics(train);
  EXPECT_NEAR(train.mean[0], test.mean[0], 1e-4);
  EXPECT_NEAR(train.std[0], test.std[0], 1e-4);
}

}  // namespace
}  // namespace lookhere
