// CIFAR binaries: exact reading, and a table of broken ones.
#include "vit/data/cifar.h"

#include "tests/vit/data_files.h"
#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

TEST(Cifar, ReadsTenClasses) {
  const TemporaryFolder folder;
  for (int i = 1; i <= 5; ++i)
    write_file(folder / concat("data_batch_", i, ".bin"), cifar_record(byte(i)) + cifar_record(byte(9), '\xff', 0, 7));
  write_file(folder / "test_batch.bin", cifar_record(byte(0)));
  write_file(folder / "batches.meta.txt", "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\r\nship\ntruck\n\n");
  const Dataset train = read_cifar10(folder.path().string(), true);
  EXPECT_EQ(train.labels, (std::vector<std::int32_t>{1, 9, 2, 9, 3, 9, 4, 9, 5, 9}));
  EXPECT_EQ(train.class_names[7], "horse");
  const std::vector<std::uint8_t> pixels = pixels_of(train);
  ASSERT_EQ(pixels.size(), 10 * 3072U);
  EXPECT_EQ(pixels[3072 + 1023], 255);
  EXPECT_EQ(pixels[3072 + 1024], 0);
  EXPECT_EQ(pixels[9 * 3072 + 3071], 7);
  EXPECT_EQ(read_cifar10(folder.path().string(), false).size(), 1);
  const Dataset test = load_dataset(folder.path().string(), false);
  EXPECT_EQ(test.mean, (std::vector<float>{0.4914F, 0.4822F, 0.4465F}));  // published, whatever the folder's name
  EXPECT_EQ(test.std, (std::vector<float>{0.2470F, 0.2435F, 0.2616F}));
  EXPECT_TRUE(test.mirror_by_default);
}

TEST(Cifar, ReadsFineLabelsOfAHundred) {
  const TemporaryFolder folder;
  write_file(folder / "train.bin", cifar_record(byte(19) + byte(99)) + cifar_record(byte(0) + byte(42)));
  write_file(folder / "test.bin", cifar_record(byte(3) + byte(7)));
  const Dataset train = load_dataset(folder.path().string(), true);
  EXPECT_EQ(train.labels, (std::vector<std::int32_t>{99, 42}));
  EXPECT_EQ(train.class_names[42], "42");                              // no file of names
  std::filesystem::create_directory(folder / "fine_label_names.txt");  // nor is a folder one
  EXPECT_EQ(load_dataset(folder.path().string(), false).class_names[42], "42");
  EXPECT_EQ(train.mean, (std::vector<float>{0.5071F, 0.4865F, 0.4409F}));
  EXPECT_TRUE(train.mirror_by_default);
}

TEST(Cifar, RefusesBrokenFiles) {
  const std::string good = cifar_record(byte(1)), wide = cifar_record(byte(1) + byte(1));
  const struct {
    const char *what, *file;
    std::string bytes;
    bool hundred;
    const char* message;
  } cases[] = {
      {"empty", "test_batch.bin", "", false, "wanted a positive multiple of 3073 bytes, got 0"},
      {"only a label", "test_batch.bin", byte(1), false, "got 1"},
      {"one byte short", "test_batch.bin", good.substr(1), false, "got 3072"},
      {"one byte more", "test_batch.bin", good + "x", false, "got 3074"},
      {"half a second record", "test_batch.bin", good + good.substr(0, 1500), false, "got 4573"},
      {"CIFAR-100 as CIFAR-10", "test_batch.bin", wide, false, "got 3074"},
      {"CIFAR-10 as CIFAR-100", "test.bin", good, true, "multiple of 3074 bytes, got 3073"},
      {"label 10", "test_batch.bin", good + cifar_record(byte(10)), false, "label 10 of record 1 is not below 10"},
      {"label 255", "test_batch.bin", cifar_record(byte(255)), false, "label 255 of record 0"},
      {"fine label 100", "test.bin", cifar_record(byte(0) + byte(100)), true, "label 100 of record 0 is not below 100"},
      {"coarse label 20", "test.bin", cifar_record(byte(20) + byte(0)), true, "coarse label 20 of record 0"},
      {"too few names", "batches.meta.txt", "cat\ndog\n", false, "wanted 10 class names, got 2"},
      {"too many names", "fine_label_names.txt", std::string(202, '\n') + std::string(400, 'x') + "\nb\n", true,
       "got 2"},
      {"endless names", "batches.meta.txt", std::string(1 << 17, 'x'), false, "more than the limit"},
  };
  for (const auto& [what, file, bytes, hundred, message] : cases) {
    SCOPED_TRACE(what);
    const TemporaryFolder folder;
    write_file(folder / (hundred ? "test.bin" : "test_batch.bin"), hundred ? wide : good);
    write_file(folder / file, bytes);
    EXPECT_ERROR((hundred ? read_cifar100 : read_cifar10)(folder.path().string(), false), message);
    EXPECT_ERROR((hundred ? read_cifar100 : read_cifar10)(folder.path().string(), false), file);
  }
}

TEST(Cifar, NamesTheMissingFile) {
  const TemporaryFolder folder;
  for (int i : {1, 2, 4, 5}) write_file(folder / concat("data_batch_", i, ".bin"), cifar_record(byte(i)));
  EXPECT_ERROR(load_dataset(folder.path().string(), true), "data_batch_3.bin: no such file");
  std::filesystem::create_directory(folder / "data_batch_3.bin");
  EXPECT_ERROR(load_dataset(folder.path().string(), true), "data_batch_3.bin: no such file");
}

// However the set is named, the run is the same to the bit: constants, mirroring, classes.
TEST(Cifar, ByNameAndByPathTrainAlike) {
  const TemporaryFolder folder;
  const DataFolder here(folder.path().string());
  const std::string data = folder / "cifar-10-batches-bin";
  std::filesystem::create_directory(data);
  Rng rng(1, Purpose::test);
  for (const char* file :
       {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"}) {
    std::string records;
    for (int i = 0; i < 4; ++i) {
      records += byte(static_cast<int>(rng.below(10)));
      for (int p = 0; p < 3072; ++p) records += byte(static_cast<int>(rng.below(256)));
    }
    write_file(data + "/" + file + ".bin", records);
  }
  Recipe recipe = tiny_recipe();
  recipe.batch_size = 10, recipe.epochs = 1;
  for (const auto& [source, run] : {std::pair{std::string("cifar10"), "name"}, {data, "path"}}) {
    recipe.data = source;
    train(recipe, folder / run);
  }
  for (const char* file : {"/best.safetensors", "/metrics.jsonl", "/summary.csv"})
    EXPECT_TRUE(read_file((folder / "name") + file) == read_file((folder / "path") + file)) << file;
  recipe.hflip = 0;
  train(recipe, folder / "unmirrored");
  EXPECT_FALSE(read_file(folder / "name/metrics.jsonl") == read_file(folder / "unmirrored/metrics.jsonl"));
}

}  // namespace
}  // namespace lookhere
