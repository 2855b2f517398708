// CIFAR binaries: exact reading, and a table of broken ones.
#include "vit/data/cifar.h"

#include "tests/testing.h"

namespace lookhere {
namespace {

// Label bytes, then planes filled with red, green and blue.
std::string record(const std::string& labels, char red = 1, char green = 2, char blue = 3) {
  return labels + std::string(1024, red) + std::string(1024, green) + std::string(1024, blue);
}
std::string byte(int value) { return std::string(1, static_cast<char>(value)); }

TEST(Cifar, ReadsTenClasses) {
  const TemporaryFolder folder;
  for (int i = 1; i <= 5; ++i)
    write_file(folder / concat("data_batch_", i, ".bin"), record(byte(i)) + record(byte(9), '\xff', 0, 7));
  write_file(folder / "test_batch.bin", record(byte(0)));
  write_file(folder / "batches.meta.txt", "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\r\nship\ntruck\n\n");
  const Dataset train = read_cifar10(folder.path().string(), true);
  EXPECT_EQ(train.labels, (std::vector<std::int32_t>{1, 9, 2, 9, 3, 9, 4, 9, 5, 9}));
  EXPECT_EQ(train.class_names[7], "horse");
  EXPECT_EQ(train.pixels.size(), 10 * 3072U);
  EXPECT_EQ(train.image(1)[1023], 255);
  EXPECT_EQ(train.image(1)[1024], 0);
  EXPECT_EQ(train.image(9)[3071], 7);
  EXPECT_EQ(read_cifar10(folder.path().string(), false).size(), 1);
  const Dataset test = load_dataset(folder.path().string(), false);  // with the training split's statistics
  EXPECT_FLOAT_EQ(test.mean[0], 128.0F / 255);
  EXPECT_FLOAT_EQ(test.std[0], 127.0F / 255);
}

TEST(Cifar, ReadsFineLabelsOfAHundred) {
  const TemporaryFolder folder;
  write_file(folder / "train.bin", record(byte(19) + byte(99)) + record(byte(0) + byte(42)));
  write_file(folder / "test.bin", record(byte(3) + byte(7)));
  const Dataset train = load_dataset(folder.path().string(), true);
  EXPECT_EQ(train.labels, (std::vector<std::int32_t>{99, 42}));
  EXPECT_EQ(train.class_names[42], "42");               // no file of names
  EXPECT_EQ(train.std, (std::vector<float>{1, 1, 1}));  // constant channels stay finite
}

TEST(Cifar, RefusesBrokenFiles) {
  const std::string good = record(byte(1)), wide = record(byte(1) + byte(1));
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
      {"label 10", "test_batch.bin", good + record(byte(10)), false, "label 10 of record 1 is not below 10"},
      {"label 255", "test_batch.bin", record(byte(255)), false, "label 255 of record 0"},
      {"fine label 100", "test.bin", record(byte(0) + byte(100)), true, "label 100 of record 0 is not below 100"},
      {"coarse label 20", "test.bin", record(byte(20) + byte(0)), true, "coarse label 20 of record 0"},
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
  for (int i : {1, 2, 4, 5}) write_file(folder / concat("data_batch_", i, ".bin"), record(byte(i)));
  EXPECT_ERROR(load_dataset(folder.path().string(), true), "data_batch_3.bin: no such file");
  std::filesystem::create_directory(folder / "data_batch_3.bin");
  EXPECT_ERROR(load_dataset(folder.path().string(), true), "data_batch_3.bin: no such file");
}

}  // namespace
}  // namespace lookhere
