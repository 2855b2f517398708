// A file is there as a whole or as it was.
#include "kernels/cuda/emulator/whole_file.h"

#include <sys/stat.h>

#include "tests/testing.h"

namespace lookhere {
namespace {

using kernels::emulator::WholeFile;

std::string problem_of(const std::string& path) {
  try {
    WholeFile file(path);
    file.write("text");
    file.commit();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(WholeFile, IsThereAtTheEnd) {
  const TemporaryFolder folder;
  write_file(folder / "f", "before");
  {
    WholeFile file(folder / "f");
    file.write(std::string(1 << 20, 'x'));
    EXPECT_EQ(read_file(folder / "f"), "before");
  }
  EXPECT_EQ(read_file(folder / "f"), "before");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  EXPECT_EQ(problem_of(folder / "f"), "");
  EXPECT_EQ(read_file(folder / "f"), "text");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(WholeFile, ReplacesALinksTarget) {
  const TemporaryFolder folder;
  write_file(folder / "f", "before");
  std::filesystem::create_symlink("f", folder / "link");
  EXPECT_EQ(problem_of(folder / "link"), "");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(folder / "f"), "text");
}

TEST(WholeFile, SaysWhatIsWrong) {
  const TemporaryFolder folder;
  const std::string name(300, 'x');
  EXPECT_EQ(problem_of(folder / "a/f"), "cannot write " + folder / "a/f" + ": No such file or directory");
  EXPECT_EQ(problem_of(folder / name), "cannot write " + folder / name + ": File name too long");
  EXPECT_EQ(problem_of(folder.path().string()), "cannot write " + folder.path().string() + ": not a regular file");
  EXPECT_EQ(problem_of(""), "cannot write : No such file or directory");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  // In place of a device: were it replaced after all, nobody would miss it.
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(problem_of(folder / "pipe"), "cannot write " + folder / "pipe" + ": not a regular file");
  EXPECT_TRUE(std::filesystem::is_fifo(folder / "pipe"));
}

}  // namespace
}  // namespace lookhere
