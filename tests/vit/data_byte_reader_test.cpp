// Bytes of plain and packed files: exactly those, and never many from few.
#include "vit/data/byte_reader.h"

#include "tests/vit/data_files.h"
#include "vit/data/idx.h"

namespace lookhere {
namespace {

std::string all_of(const std::string& path, std::size_t bytes) {
  ByteReader reader(path);
  std::string content(bytes, '\0');
  for (std::size_t at = 0; at < bytes; at += 7)  // in small steps
    reader.read(reinterpret_cast<std::uint8_t*>(content.data()) + at, std::min<long>(7, bytes - at), "text");
  reader.expect_end();
  return content;
}

TEST(DataByteReader, SeveralStreamsAreOne) {
  const TemporaryFolder folder;
  const std::string text = "What follows a stream is another or a mistake.";
  write_file(folder / "plain", text);
  write_file(folder / "one", gzip(text));
  write_file(folder / "three", gzip(text.substr(0, 20)) + gzip("") + gzip(text.substr(20)) + gzip(""));
  for (const char* name : {"plain", "one", "three"}) EXPECT_EQ(all_of(folder / name, text.size()), text) << name;
  EXPECT_ERROR(all_of(folder / "three", 19), "more data than the header declares (19 bytes)");
  EXPECT_ERROR(all_of(folder / "three", text.size() + 1), "truncated in the text after 46 bytes");
}

TEST(DataByteReader, RefusesBytesAfterTheStream) {
  const TemporaryFolder folder;
  const std::string idx = idx_header({3}) + "abc", path = folder / "x";
  const std::pair<std::string, const char*> cases[] = {
      {"x", "1 bytes after the gzip stream"},
      {std::string(512, 0), "512 bytes after the gzip stream"},
      {"\x1f", "1 bytes after the gzip stream"},
      {"\x1f\x8b", "unexpected end of file"},
      {gzip("").substr(0, 12), "unexpected end of file"},
      {gzip("more"), "more data than the header declares (11 bytes)"},
      {gzip("") + "x", "1 bytes after the gzip stream"},
  };
  for (const auto& [rest, message] : cases) {
    write_file(path, gzip(idx) + rest);
    EXPECT_ERROR(read_idx(path), message);
    EXPECT_ERROR(read_idx(path), path + ": ");
  }
}

// 1 MB of zeros packed a thousandfold: refused by its header, before memory is taken.
TEST(DataByteReader, ASmallFileDoesNotBecomeALargeOne) {
  const TemporaryFolder folder;
  const std::string path = folder / "bomb";
  gzFile file = gzopen(path.c_str(), "wb9");
  const std::string head = idx_header({1000, 1024, 1024}), zeros(1 << 20, 0);
  gzwrite(file, head.data(), static_cast<unsigned>(head.size()));
  for (int i = 0; i < 1000; ++i) gzwrite(file, zeros.data(), static_cast<unsigned>(zeros.size()));
  gzclose(file);
  EXPECT_LT(std::filesystem::file_size(path), 2U << 20);
  EXPECT_ERROR(read_idx(path), "declares [1000, 1024, 1024] and so 1048576016 bytes, the file has ");
  // Small sets may be as empty as they like.
  write_file(path, gzip(idx_header({60, 1024, 1024}) + std::string(60 << 20, 0)));
  EXPECT_EQ(read_idx(path).values.size(), 60U << 20);
}

}  // namespace
}  // namespace lookhere
