// IDX files: exact reading, and a table of broken ones.
#include "vit/data/idx.h"

#include <zlib.h>

#include <numeric>

#include "tests/testing.h"

namespace lookhere {
namespace {

std::string big_endian(std::uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
}
std::string header(std::initializer_list<std::uint32_t> sizes, char type = 8) {
  std::string bytes{0, 0, type, static_cast<char>(sizes.size())};
  for (std::uint32_t size : sizes) bytes += big_endian(size);
  return bytes;
}
// 0, 1, 2, ...
std::string counting(int n) {
  std::string bytes(n, 0);
  std::iota(bytes.begin(), bytes.end(), 0);
  return bytes;
}
std::string gzip(const std::string& bytes) {
  const TemporaryFolder folder;
  gzFile file = gzopen((folder / "x").c_str(), "wb");
  gzwrite(file, bytes.data(), bytes.size());
  gzclose(file);
  return read_file(folder / "x");
}

const std::string kImages = header({3, 2, 2}) + counting(12);
const std::string kLabels = header({3}) + std::string{0, 2, 1};

TEST(Idx, ReadsPlainAndCompressedAlike) {
  const TemporaryFolder folder;
  write_file(folder / "plain.gz", kImages);  // the name does not matter
  write_file(folder / "packed", gzip(kImages));
  for (const char* name : {"plain.gz", "packed"}) {
    const IdxArray array = read_idx(folder / name);
    EXPECT_EQ(array.sizes, (std::vector<long>{3, 2, 2}));
    EXPECT_EQ(array.values, (std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  }
}

TEST(Idx, BecomesADataset) {
  const TemporaryFolder folder;
  write_file(folder / "labels", gzip(kLabels));
  write_file(folder / "grey", kImages);
  write_file(folder / "colour", header({3, 3, 1, 2}) + counting(18));
  const Dataset grey = read_idx_dataset(folder / "grey", folder / "labels");
  EXPECT_EQ(grey.labels, (std::vector<std::int32_t>{0, 2, 1}));
  EXPECT_EQ(grey.classes, 3);
  EXPECT_EQ(grey.class_names, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(grey.image(2)[3], 11);
  EXPECT_ERROR(grey.image(3), "no image 3 of 3");
  const Dataset colour = read_idx_dataset(folder / "colour", folder / "labels");
  EXPECT_EQ((std::vector{colour.channels, colour.height, colour.width}), (std::vector{3L, 1L, 2L}));
}

TEST(Idx, RefusesBrokenFiles) {
  const std::string packed = gzip(kImages);
  std::string flipped = packed, checksum = packed;
  flipped[14] ^= 0x40;
  checksum[checksum.size() - 6] ^= 1;
  const struct {
    const char* what;
    std::string bytes;
    const char* message;
  } cases[] = {
      {"empty", "", "truncated in the header"},
      {"part of the magic", std::string(3, '\0'), "truncated in the header"},
      {"another format", "\x89PNG\r\n\x1a\n", "not an IDX file"},
      {"second byte", std::string{0, 1, 8, 1} + big_endian(1) + "x", "not an IDX file"},
      {"floats", header({1}, 0x0D) + "xxxx", "unsigned bytes (type 8), got type 13"},
      {"signed bytes", header({1}, 9) + "x", "got type 9"},
      {"no size", header({}), "wanted 1 to 4 sizes, got 0"},
      {"five sizes", header({1, 1, 1, 1, 1}) + "x", "wanted 1 to 4 sizes, got 5"},
      {"255 sizes", std::string{0, 0, 8, '\xff'} + std::string(1020, 1), "got 255"},
      {"header ends early", header({3, 2, 2}).substr(0, 13), "truncated in the header"},
      {"size 0", header({3, 0, 2}), "size 1 is 0"},
      {"one byte short", kImages.substr(0, kImages.size() - 1), "declares [3, 2, 2] and so 28 bytes, the file has 27"},
      {"one byte more", kImages + "x", "and so 28 bytes, the file has 29"},
      {"count too high", header({4, 2, 2}) + counting(12), "and so 32 bytes"},
      {"count too low", header({2, 2, 2}) + counting(12), "and so 24 bytes"},
      {"more than the limit", header({0x10000, 0x10000, 2}), "more than the limit"},
      {"product wraps", header({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}), "more than the limit"},
      {"product wraps to little", header({0x80000000, 0x80000000, 4}) + "xxxx", "more than the limit"},
      {"gzip, lying count", gzip(header({60000, 28, 28})), "compressed"},
      {"gzip, count a little high", gzip(header({4, 2, 2}) + counting(12)), "truncated in the elements"},
      {"gzip, one byte more", gzip(kImages + "x"), "more data than the header declares (28 bytes)"},
      {"gzip bomb", gzip(kImages + std::string(1 << 20, 0)), "more data"},
      {"gzip, truncated", packed.substr(0, packed.size() / 2), "unexpected end of file"},
      {"gzip, damaged", flipped, ""},
      {"gzip, checksum", checksum, "incorrect data check"},
      {"gzip, only its magic", "\x1f\x8b", ""},
      {"gzip, nothing inside", gzip(""), "truncated in the header"},
  };
  const TemporaryFolder folder;
  for (const auto& [what, bytes, message] : cases) {
    SCOPED_TRACE(what);
    write_file(folder / "x", bytes);
    EXPECT_ERROR(read_idx(folder / "x"), message);
    EXPECT_ERROR(read_idx(folder / "x"), folder / "x");
  }
  EXPECT_ERROR(read_idx(folder / "missing"), "no such file");
  EXPECT_ERROR(read_idx(folder.path().string()), "no such file");
}

TEST(Idx, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  for (const std::string& whole : {kImages, gzip(kImages)})
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      write_file(folder / "x", whole.substr(0, bytes));
      EXPECT_THROW(read_idx(folder / "x"), Error) << bytes;
    }
}

TEST(Idx, SurvivesEveryFlippedByte) {
  const TemporaryFolder folder;
  for (const std::string& whole : {kImages, gzip(kImages)})
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(~bytes[at]);
      write_file(folder / "x", bytes);
      try {
        EXPECT_EQ(read_idx(folder / "x").values.size(), 12);
      } catch (const Error&) {
      }
    }
}

TEST(Idx, RefusesMismatchedPairs) {
  const TemporaryFolder folder;
  write_file(folder / "images", kImages);
  write_file(folder / "labels", kLabels);
  write_file(folder / "two", header({2}) + std::string(2, 0));
  EXPECT_ERROR(read_idx_dataset(folder / "images", folder / "two"), "wanted 3 labels, one per image, got 2");
  EXPECT_ERROR(read_idx_dataset(folder / "labels", folder / "labels"), "images want 3 sizes");
  EXPECT_ERROR(read_idx_dataset(folder / "images", folder / "images"), "labels want 1 size, got 3");
}

TEST(Idx, FolderTakesStatisticsAndClassesFromTraining) {
  const TemporaryFolder folder;
  EXPECT_ERROR(load_dataset(folder.path().string(), true), "found neither");
  write_file(folder / "train-images-idx3-ubyte", header({2, 1, 2}) + std::string{0, 51, 102, '\xcc'});
  write_file(folder / "train-labels-idx1-ubyte", header({2}) + std::string{0, 4});
  write_file(folder / "t10k-images.idx3-ubyte.gz", gzip(header({1, 1, 2}) + "xx"));
  write_file(folder / "t10k-labels.idx1-ubyte.gz", gzip(header({1}) + std::string{3}));
  const Dataset test = load_dataset(folder.path().string(), false);
  EXPECT_EQ(test.classes, 5);
  EXPECT_FLOAT_EQ(test.mean[0], 0.35F);  // of 0, 0.2, 0.4, 0.8
  EXPECT_FLOAT_EQ(test.std[0], std::sqrt(0.0875F));
  write_file(folder / "t10k-labels.idx1-ubyte.gz", gzip(header({1}) + std::string{5}));
  EXPECT_ERROR(load_dataset(folder.path().string(), false), "label 5 of image 0 is not below 5");
  write_file(folder / "t10k-images.idx3-ubyte.gz", gzip(header({1, 2, 1}) + "xx"));
  EXPECT_ERROR(load_dataset(folder.path().string(), false), "test images are [1, 2, 1], training images [1, 1, 2]");
}

}  // namespace
}  // namespace lookhere
