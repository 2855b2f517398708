// IDX files: exact reading, and a table of broken ones.
#include "vit/data/idx.h"

#include <numeric>

#include "tests/vit/data_files.h"

namespace lookhere {
namespace {

// 0, 1, 2, ...
std::string counting(int n) {
  std::string bytes(n, 0);
  std::iota(bytes.begin(), bytes.end(), 0);
  return bytes;
}
const std::string kImages = idx_header({3, 2, 2}) + counting(12);
const std::string kLabels = idx_header({3}) + std::string{0, 2, 1};

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
  write_file(folder / "colour", idx_header({3, 3, 1, 2}) + counting(18));
  const Dataset grey = read_idx_dataset(folder / "grey", folder / "labels");
  EXPECT_EQ(grey.labels, (std::vector<std::int32_t>{0, 2, 1}));
  EXPECT_EQ(grey.classes, 3);
  EXPECT_EQ(grey.class_names, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(pixels_of(grey)[11], 11);
  std::vector<std::uint8_t> buffer;
  EXPECT_ERROR(grey.read(3, buffer), "no image 3 of 3");
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
      {"second byte", std::string{0, 1, 8, 1} + big_endian(1U) + "x", "not an IDX file"},
      {"no such type", idx_header({1}, 10) + "x", "wanted elements of type 8, 9, 11, 12, 13 or 14, got type 10"},
      {"floats, too few", idx_header({2}, 13) + std::string(4, 0), "declares [2] and so 16 bytes, the file has 12"},
      {"doubles past the limit", idx_header({0x10000, 0x2000, 2}, 14), "more than the limit"},
      {"no size", idx_header({}), "wanted 1 to 4 sizes, got 0"},
      {"five sizes", idx_header({1, 1, 1, 1, 1}) + "x", "wanted 1 to 4 sizes, got 5"},
      {"255 sizes", std::string{0, 0, 8, '\xff'} + std::string(1020, 1), "got 255"},
      {"header ends early", idx_header({3, 2, 2}).substr(0, 13), "truncated in the header"},
      {"size 0", idx_header({3, 0, 2}), "size 1 is 0"},
      {"one byte short", kImages.substr(0, kImages.size() - 1), "declares [3, 2, 2] and so 28 bytes, the file has 27"},
      {"one byte more", kImages + "x", "and so 28 bytes, the file has 29"},
      {"count too high", idx_header({4, 2, 2}) + counting(12), "and so 32 bytes"},
      {"count too low", idx_header({2, 2, 2}) + counting(12), "and so 24 bytes"},
      {"more than the limit", idx_header({0x10000, 0x10000, 2}), "more than the limit"},
      {"product wraps", idx_header({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}), "more than the limit"},
      {"product wraps to little", idx_header({0x80000000, 0x80000000, 4}) + "xxxx", "more than the limit"},
      {"gzip, lying count", gzip(idx_header({60000, 28, 28})), "compressed"},
      {"gzip, count a little high", gzip(idx_header({4, 2, 2}) + counting(12)), "truncated in the elements"},
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
  EXPECT_ERROR(read_idx(folder / "missing"), "No such file");
  EXPECT_ERROR(read_idx(folder.path().string()), "Is a directory");
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
  write_file(folder / "two", idx_header({2}) + std::string(2, 0));
  EXPECT_ERROR(read_idx_dataset(folder / "images", folder / "two"), "wanted 3 labels, one per image, got 2");
  EXPECT_ERROR(read_idx_dataset(folder / "labels", folder / "labels"), "images want 3 sizes");
  EXPECT_ERROR(read_idx_dataset(folder / "images", folder / "images"), "labels want 1 size, got 3");
}

TEST(Idx, ReadsEveryType) {
  const TemporaryFolder folder;
  const auto written = [](auto... values) { return (big_endian(values) + ...); };
  const std::pair<char, std::string> files[] = {
      {9, std::string{0, 1, 127}},    {11, written(std::int16_t{0}, std::int16_t{1}, std::int16_t{127})},
      {12, written(0, 1, 127)},       {13, written(-0.0F, 1.0F, 127.0F)},
      {14, written(0.0, 1.0, 127.0)},
  };
  for (const auto& [type, bytes] : files)
    for (const bool packed : {false, true}) {
      const std::string file = idx_header({3}, type) + bytes;
      write_file(folder / "x", packed ? gzip(file) : file);
      EXPECT_EQ(read_idx(folder / "x").values, (std::vector<std::uint8_t>{0, 1, 127})) << int{type};
      EXPECT_EQ(read_idx<std::uint16_t>(folder / "x").values, (std::vector<std::uint16_t>{0, 1, 127})) << int{type};
    }
  write_file(folder / "images", idx_header({1, 1, 2}, 13) + written(0.0F, 255.0F));
  write_file(folder / "labels", idx_header({1}, 12) + written(65535));
  const Dataset d = read_idx_dataset(folder / "images", folder / "labels");
  EXPECT_EQ(pixels_of(d), (std::vector<std::uint8_t>{0, 255}));
  EXPECT_EQ(d.classes, 65536);
}

TEST(Idx, RefusesWhatIsNoPixelOrLabel) {
  const struct {
    char type;
    std::string bytes;
    const char* got;  // of element 1
  } cases[] = {
      {9, big_endian(std::int8_t{-1}), "got -1"}, {11, big_endian(std::int16_t{-32768}), "got -32768"},
      {12, big_endian(65536), "got 65536"},       {12, big_endian(-1), "got -1"},
      {13, big_endian(0.5F), "got 0.5"},          {13, big_endian(std::nanf("")), "got nan"},
      {14, big_endian(HUGE_VAL), "got inf"},      {14, big_endian(1e300), "got 1e+300"},
  };
  const TemporaryFolder folder;
  const std::string path = folder / "x";
  for (const auto& [type, bytes, got] : cases) {
    write_file(path, idx_header({2}, type) + std::string(bytes.size(), 0) + bytes);
    EXPECT_ERROR(read_idx(path), path + ": element 1 must be a whole number from 0 to 255, " + got);
    EXPECT_ERROR(read_idx<std::uint16_t>(path), path + ": element 1 must be a whole number from 0 to 65535, " + got);
  }
  write_file(path, idx_header({1}, 11) + big_endian(std::int16_t{256}));
  EXPECT_ERROR(read_idx(path), "must be a whole number from 0 to 255, got 256");
  EXPECT_EQ(read_idx<std::uint16_t>(path).values[0], 256);
}

}  // namespace
}  // namespace lookhere
