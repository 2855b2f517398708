// Which files of a folder are an IDX data set.
#include "vit/data/idx_folder.h"

#include "tests/testing.h"

namespace lookhere {
namespace {

// A folder with these files; a name that ends in / is a folder.
class Names {
 public:
  explicit Names(const std::vector<std::string>& names) {
    for (const std::string& name : names)
      if (name.ends_with('/'))
        std::filesystem::create_directories(folder_ / name);
      else
        write_file(folder_ / name, name);
  }
  // "images labels" by file name, "" if there are none.
  std::string found(bool train) const {
    const auto files = find_idx(folder_.path().string(), train);
    const auto name = [](const std::string& path) { return std::filesystem::path(path).filename().string(); };
    return files ? name(files->images) + " " + name(files->labels) : "";
  }

 private:
  TemporaryFolder folder_;
};

TEST(IdxFolder, KnowsTheNamesInUse) {
  const std::pair<std::string, std::string> cases[] = {
      {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
      {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"},
      {"train-images.idx3-ubyte", "train-labels.idx1-ubyte"},
      {"train.images.idx3-ubyte", "train.labels.idx1-ubyte"},
      {"train_images_idx3_ubyte", "train_labels_idx1_ubyte.gz"},
      {"train-images", "train-labels.gz"},
      {"emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz"},
      {"my_set.train-images-idx3-float", "my-set_train-labels-idx1-int"},
  };
  for (const auto& [images, labels] : cases) {
    const Names folder({images, labels, "README", "train.npy", "trains-images", "train-images-idx3-ubyte.tmp-1-2"});
    EXPECT_EQ(folder.found(true), images + " " + labels);
    EXPECT_EQ(folder.found(false), "");
  }
  for (const char* test : {"t10k", "test"})
    EXPECT_EQ(Names({concat("a-", test, "-images"), concat("a-", test, "-labels"), "a-train-images"}).found(false),
              concat("a-", test, "-images a-", test, "-labels"));
}

TEST(IdxFolder, PlainFilesComeFirstAndFoldersAreNoFiles) {
  EXPECT_EQ(Names({"test-images.gz", "test-labels", "test-labels.gz", "test_images"}).found(false),
            "test_images test-labels");
  // As Kaggle ships it.
  EXPECT_EQ(Names({"train-images-idx3-ubyte/", "train-labels-idx1-ubyte/", "train-images.idx3-ubyte",
                   "train-labels.idx1-ubyte"})
                .found(true),
            "train-images.idx3-ubyte train-labels.idx1-ubyte");
  EXPECT_EQ(Names({"train-images-idx3-ubyte/", "train-labels-idx1-ubyte/"}).found(true), "");
}

TEST(IdxFolder, RefusesSeveralSetsByName) {
  const Names two({"emnist-digits-train-images", "emnist-digits-train-labels", "emnist-letters-train-images",
                   "emnist-letters-train-labels"});
  EXPECT_ERROR(two.found(true),
               R"(several data sets: wanted one, got "emnist-digits-train-images", "emnist-letters-train-images")");
  const Names mixed({"train-images", "emnist-train-labels"});
  EXPECT_ERROR(mixed.found(true), R"(got "train-images", "emnist-train-labels")");
  EXPECT_ERROR(Names({"train-images", "train-labels", "x-test-images", "x-test-labels"}).found(true), "several");
  const Names tests({"t10k-images", "t10k-labels", "test-images", "test-labels", "train-images", "train-labels"});
  EXPECT_ERROR(tests.found(false), R"(got "t10k-images", "test-images")");
  EXPECT_EQ(tests.found(true), "train-images train-labels");
  EXPECT_ERROR(Names({"train-images"}).found(true), "wanted a file of labels beside \"train-images\", found none");
  EXPECT_ERROR(Names({"train-labels"}).found(true), "wanted a file of images beside \"train-labels\", found none");
  EXPECT_ERROR(find_idx("no/such/folder", true), "cannot list no/such/folder: No such file or directory");
}

}  // namespace
}  // namespace lookhere
