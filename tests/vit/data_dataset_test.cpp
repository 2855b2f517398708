// Data sets by name: where they are looked for, and what is said when they are missing.
#include "vit/data/dataset.h"

#include <algorithm>

#include "tests/vit/data_files.h"
#include "vit/data/shapes.h"

namespace lookhere {
namespace {

TEST(Data, MissingSetsSayWhatToDo) {
  const TemporaryFolder folder;
  const DataFolder here(folder.path().string());
  EXPECT_ERROR(load_dataset("fashion", true), "install Debian's dataset-fashion-mnist, or use --data shapes");
  EXPECT_ERROR(load_dataset("cifar10", true), "(LOOKHERE_DATA is set): unpack its binary version");
  EXPECT_ERROR(load_dataset("fishes", true), "wanted fashion, shapes, glyphs, cifar10, cifar100, a folder or FILE.tar");
  std::filesystem::create_directory(folder / "fashion-mnist");
  write_file(folder / "fashion-mnist/train-images-idx3-ubyte",
             std::string{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7});
  write_file(folder / "fashion-mnist/train-labels-idx1-ubyte", std::string{0, 0, 8, 1, 0, 0, 0, 1, 2});
  const Dataset fashion = load_dataset("fashion", true);
  EXPECT_EQ(fashion.classes, 10);
  EXPECT_EQ(fashion.class_names[9], "Ankle boot");
  EXPECT_FALSE(fashion.mirror_by_default);
  // The same folder by its path, however it is spelt.
  std::filesystem::create_directory_symlink(folder / "fashion-mnist", folder / "link");
  for (const std::string& path :
       {folder / "fashion-mnist/", folder / "../" + folder.path().filename().string() + "/fashion-mnist",
        folder / "link"}) {
    const Dataset same = load_dataset(path, true);
    EXPECT_EQ(same.class_names, fashion.class_names);
    EXPECT_EQ(same.mean, fashion.mean);
    EXPECT_EQ(same.std, fashion.std);
  }
  std::filesystem::create_directory(folder / "cifar-10-batches-bin");
  write_file(folder / "cifar-10-batches-bin/train.bin", cifar_record(byte(1) + byte(1)));
  EXPECT_ERROR(load_dataset("cifar10", true), "wanted cifar10 with its 10 classes, got 100");
}

TEST(Data, FoldersHaveTitles) {
  for (const char* path : {"/data/photos", "/data/photos/", "photos", "photos//", "./photos/.", "x/../photos"})
    EXPECT_EQ(title_of_dataset(path), "photos") << path;
  EXPECT_EQ(title_of_dataset("."), std::filesystem::current_path().filename());
  EXPECT_EQ(title_of_dataset("fashion"), "fashion");
}

TEST(Data, ATestSplitNeedsNoTraining) {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  EXPECT_ERROR(load_dataset(path, true),
               "wanted a data set of IDX (train-images-idx...), CIFAR-10 (data_batch_1.bin), CIFAR-100 (train.bin), "
               "JPEG/PNG (train/CLASS/....jpg or CLASS/....jpg) or webdataset (train-0000.tar), found none");
  write_file(folder / "t10k-images.idx3-ubyte.gz", gzip(idx_header({1, 1, 2}) + "xx"));
  write_file(folder / "t10k-labels.idx1-ubyte.gz", gzip(idx_header({1}) + byte(3)));
  write_file(folder / "train-images-idx3-ubyte", "not looked at");
  const Dataset alone = load_dataset(path, false);
  EXPECT_EQ(alone.size(), 1);
  EXPECT_EQ(alone.classes, 0) << "its labels do not tell how many there are";
  EXPECT_TRUE(alone.class_names.empty() && alone.mean.empty() && alone.std.empty());
  EXPECT_ERROR(load_dataset(path, true), "wanted a file of labels beside \"train-images-idx3-ubyte\"");

  write_file(folder / "train-images-idx3-ubyte", idx_header({2, 1, 2}) + std::string{0, 51, 102, '\xcc'});
  write_file(folder / "train-labels-idx1-ubyte", idx_header({2}) + std::string{0, 4});
  const Dataset training = load_dataset(path, true), test = load_test_set(path, training);
  EXPECT_EQ(test.classes, 5);
  EXPECT_EQ(test.class_names, training.class_names);
  EXPECT_FLOAT_EQ(test.mean[0], 0.35F);  // of 0, 0.2, 0.4, 0.8
  EXPECT_FLOAT_EQ(test.std[0], std::sqrt(0.0875F));
  write_file(folder / "t10k-labels.idx1-ubyte.gz", gzip(idx_header({1}) + byte(5)));
  EXPECT_ERROR(load_test_set(path, training), "label 5 of image 0 is not below 5");
  write_file(folder / "t10k-images.idx3-ubyte.gz", gzip(idx_header({1, 2, 1}) + "xx"));
  EXPECT_ERROR(load_test_set(path, training), "test images are [1, 2, 1], training images [1, 1, 2]");
}

TEST(Data, SeveralKindsInOneFolderAreRefused) {
  const TemporaryFolder folder;
  write_file(folder / "test_batch.bin", cifar_record(byte(1)));
  std::filesystem::create_directory(folder / "test.bin");  // a folder is no file
  EXPECT_EQ(load_dataset(folder.path().string(), false).classes, 10);
  std::filesystem::remove(folder / "test.bin");
  write_file(folder / "test.bin", cifar_record(byte(1) + byte(1)));
  EXPECT_ERROR(load_dataset(folder.path().string(), false),
               "several data sets: wanted one, got CIFAR-10 and CIFAR-100");
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
