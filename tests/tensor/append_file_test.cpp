// A file that grows line by line keeps what was written, and has one writer.
#include "tensor/system/append_file.h"

#include "tests/exit_code.h"
#include "tests/tensor/file_size_limit.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

TEST(AppendFile, GrowsAndIsCut) {
  const TemporaryFolder folder;
  const std::string path = folder / "log";
  {
    AppendFile file(path, 0);
    EXPECT_EQ(file.size(), 0);
    file.write("one\n"), file.write("two\n");
    EXPECT_EQ(file.size(), 8);
    EXPECT_EQ(read_file(path), "one\ntwo\n") << "written at once, not at the end";
    file.sync();
  }
  {
    AppendFile file(path, 4);
    EXPECT_EQ(read_file(path), "one\n");
    file.write("three\n");
    EXPECT_EQ(file.size(), 10);
  }
  EXPECT_EQ(read_file(path), "one\nthree\n");
  const AppendFile cut(path, 0);
  EXPECT_EQ(read_file(path), "");
}

TEST(AppendFile, RefusesAFileThatIsNotAsItWasLeft) {
  const TemporaryFolder folder;
  const std::string path = folder / "log";
  write_file(path, "abc");
  EXPECT_ERROR(AppendFile(path, 4), path + ": wanted at least 4 bytes, as the checkpoint left it, got 3");
  EXPECT_EQ(read_file(path), "abc");
  EXPECT_ERROR(AppendFile(path, -1), "cannot truncate " + path + ": Invalid argument");
  EXPECT_ERROR(AppendFile(folder.path().string(), 0), "Is a directory");
  EXPECT_ERROR(AppendFile(folder / "no/log", 0), "No such file or directory");
  EXPECT_EQ(code_of([&] { AppendFile(path, 4); }), Exit::io);
  EXPECT_EQ(code_of([&] { AppendFile(folder / "no/log", 0); }), Exit::io);
}

// Two processes that go on with one run would both be wrong.
TEST(AppendFile, HasOneWriter) {
  const TemporaryFolder folder;
  const std::string path = folder / "log";
  {
    AppendFile file(path, 0);
    file.write("one\n");
    EXPECT_ERROR(AppendFile(path, 0), path + ": in use by another process");
    EXPECT_EQ(read_file(path), "one\n") << "the second one must not cut what the first writes";
  }
  EXPECT_EQ(AppendFile(path, 4).size(), 4);
}

TEST(AppendFile, SaysWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  AppendFile file(folder / "log", 0);
  const FileSizeLimit limit(10);
  file.write("12345");
  EXPECT_ERROR(file.write("1234567890"), "cannot write " + (folder / "log") + ": File too large");
}

}  // namespace
}  // namespace lookhere
