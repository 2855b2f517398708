// Atomic writing under failure, and mapping.
#include "tensor/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "tests/tensor/file_size_limit.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

long files_in(const TemporaryFolder& folder) {
  return std::distance(std::filesystem::directory_iterator(folder.path()), {});
}

TEST(WriteAtomically, WritesAndReplaces) {
  const TemporaryFolder folder;
  const std::string path = folder / "a";
  write_atomically(path, [](FileWriter& out) { out.write("first, and longer"); });
  EXPECT_EQ(read_file(path), "first, and longer");
  write_atomically(path, [](FileWriter& out) { out.write("se"), out.write("cond", 4), out.write(nullptr, 0); });
  EXPECT_EQ(read_file(path), "second");
  write_atomically(path, [](FileWriter&) {});
  EXPECT_EQ(read_file(path), "");
  EXPECT_EQ(files_in(folder), 1);
}

TEST(WriteAtomically, TheTemporaryIsInTheSameFolderAndNamesTheProcess) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  write_atomically(folder / "a", [&](FileWriter& out) {
    out.write("new");
    EXPECT_EQ(read_file(folder / "a"), "old");
    EXPECT_EQ(files_in(folder), 2);
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      const std::string name = entry.path().filename();
      EXPECT_TRUE(name == "a" || name.starts_with(concat("a.tmp-", getpid(), '-'))) << name;
    }
  });
  EXPECT_EQ(read_file(folder / "a"), "new");
}

TEST(WriteAtomically, WorksWithoutAFolderInThePath) {
  const TemporaryFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_atomically("bare", [](FileWriter& out) { out.write("x"); });
  std::filesystem::current_path(before);
  EXPECT_EQ(read_file(folder / "bare"), "x");
}

TEST(WriteAtomically, AFullDiskLeavesThePreviousFile) {
  const TemporaryFolder folder;
  const std::string path = folder / "a";
  write_file(path, "old");
  const std::string big(100000, 'x');
  for (const long limit : {0L, 1L, 4096L, 99999L}) {
    const FileSizeLimit guard(limit);
    try {
      write_atomically(path, [&](FileWriter& out) { out.write(big); });
      ADD_FAILURE() << "no error at " << limit;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), "cannot write " + path + ": File too large");
      EXPECT_EQ(error.code(), Exit::io);
    }
    EXPECT_EQ(read_file(path), "old");
    EXPECT_EQ(files_in(folder), 1);
  }
}

TEST(WriteAtomically, AnExceptionFromTheBodyLeavesThePreviousFile) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  const auto interrupted = [](FileWriter& out) {
    out.write("new");
    fail("stopped");
  };
  EXPECT_ERROR(write_atomically(folder / "a", interrupted), "stopped");
  EXPECT_ERROR(write_atomically(folder / "b", interrupted), "stopped");
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_EQ(files_in(folder), 1);
}

TEST(WriteAtomically, ReplacesTheLeftoverOfACrash) {
  const TemporaryFolder folder;
  std::string leftover;
  write_atomically(folder / "a", [&](FileWriter&) {
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) leftover = entry.path();
  });
  // The number behind the process id rises by one with every write.
  const auto dash = leftover.rfind('-') + 1;
  const std::string next = leftover.substr(0, dash) + std::to_string(std::stol(leftover.substr(dash)) + 1);
  write_file(next, "torn");
  write_atomically(folder / "a", [](FileWriter& out) { out.write("new"); });
  EXPECT_EQ(read_file(folder / "a"), "new");
  EXPECT_EQ(files_in(folder), 1);
}

// What this program cannot have written stays: other names, folders, links, and the file of a writer at work.
TEST(WriteAtomically, RemovesOnlyItsOwnLeftovers) {
  const TemporaryFolder folder;
  const std::vector<std::string> strangers{"thesis.tmp-draft.txt", "a.tmp-",     "a.tmp-1",   "a.tmp-1-",
                                           "a.tmp-1-2x",           "a.tmp--1-2", "b.tmp-1-2", "xa.tmp-1-2",
                                           "a.tmp-1-2.txt",        "a.tmp-1-2-3"};
  for (const std::string& name : strangers) write_file(folder / name, "keep");
  std::filesystem::create_directory(folder / "a.tmp-7-7");
  std::filesystem::create_symlink("b.tmp-1-2", folder / "a.tmp-8-8");
  write_atomically(folder / "a", [&](FileWriter& out) {
    out.write("slow");
    write_file(folder / "a.tmp-1-2", "torn");
    write_atomically(folder / "a", [](FileWriter& other) { other.write("quick"); });  // as another process would
  });
  EXPECT_EQ(read_file(folder / "a"), "slow");
  EXPECT_FALSE(std::filesystem::exists(folder / "a.tmp-1-2"));
  for (const std::string& name : strangers) EXPECT_EQ(read_file(folder / name), "keep") << name;
  EXPECT_EQ(files_in(folder), static_cast<long>(strangers.size()) + 3);
}

TEST(WriteAtomically, WritesToWhatALinkNames) {
  const TemporaryFolder folder;
  namespace fs = std::filesystem;
  fs::create_directory(folder / "there");
  write_file(folder / "there/target", "old");
  fs::create_symlink("there/target", folder / "link");
  fs::create_symlink(folder / "link", folder / "second");
  fs::create_symlink("there/new", folder / "dangling");
  for (const char* name : {"link", "second", "dangling"}) {
    write_atomically(folder / name, [&](FileWriter& out) { out.write(name); });
    EXPECT_TRUE(fs::is_symlink(folder / name)) << name;
    EXPECT_EQ(read_file(folder / name), name);
  }
  EXPECT_EQ(read_file(folder / "there/target"), "second");
  EXPECT_EQ(read_file(folder / "there/new"), "dangling");
  EXPECT_EQ(files_in(folder), 4);
}

TEST(WriteAtomically, LongNamesWork) {
  const TemporaryFolder folder;
  for (const std::string& name : {std::string(255, 'n'), std::string(224, 'm'), std::string(1, 'x') + [] {
                                    std::string umlauts;
                                    for (int i = 0; i < 127; ++i) umlauts += "\u00e4";
                                    return umlauts;
                                  }()}) {
    for (const char* text : {"first", "second"})
      write_atomically(folder / name, [&](FileWriter& out) { out.write(text); });
    EXPECT_EQ(read_file(folder / name), "second");
  }
  EXPECT_EQ(files_in(folder), 3);
  const std::string stem(223, 'n');  // what a killed writer leaves beside a name of 255 bytes
  write_file(folder / stem + ".tmp-1-2", "torn");
  write_atomically(folder / std::string(255, 'n'), [](FileWriter& out) { out.write("third"); });
  EXPECT_EQ(files_in(folder), 3);
}

TEST(WriteAtomically, NamesThePathAndTheReason) {
  const TemporaryFolder folder;
  const auto write = [](const std::string& path) { write_atomically(path, [](FileWriter& out) { out.write("x"); }); };
  const std::string missing = folder / "no/such";
  EXPECT_ERROR(write(missing), "cannot write " + missing + ": No such file or directory");
  EXPECT_ERROR(write(folder.path().string()), ": Is a directory");
  EXPECT_ERROR(write(""), "cannot write : ");
  EXPECT_ERROR(write(folder / std::string(256, 'n')), ": File name too long");
  std::filesystem::create_symlink("circle", folder / "circle");
  EXPECT_ERROR(write(folder / "circle"), ": Too many levels of symbolic links");
  write_file(folder / "file", "");
  EXPECT_ERROR(write(folder / "file/a"), ": Not a directory");
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_ERROR(write(folder / "pipe"), ": not a regular file");
  EXPECT_ERROR(write("/dev/full"), "cannot write /dev/full: not a regular file");
  std::filesystem::create_symlink("/dev/null", folder / "link");
  EXPECT_ERROR(write(folder / "link"), ": not a regular file");
}

TEST(WriteAtomically, KeepsPermissions) {
  const TemporaryFolder folder;
  write_file(folder / "a", "private");
  ASSERT_EQ(chmod((folder / "a").c_str(), 0600), 0);
  write_atomically(folder / "a", [](FileWriter& out) { out.write("x"); });
  struct stat status {};
  ASSERT_EQ(stat((folder / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(WriteAtomically, ThreadsDoNotMix) {
  const TemporaryFolder folder;
  std::vector<std::thread> threads;
  for (char c = 'a'; c < 'e'; ++c)
    threads.emplace_back([&folder, text = std::string(1000, c)] {
      for (int i = 0; i < 10; ++i) write_atomically(folder / "a", [&](FileWriter& out) { out.write(text); });
    });
  for (std::thread& thread : threads) thread.join();
  const std::string text = read_file(folder / "a");
  EXPECT_EQ(text, std::string(1000, text.at(0)));
  EXPECT_EQ(files_in(folder), 1);
}

TEST(MappedFile, GivesTheBytes) {
  const TemporaryFolder folder;
  write_file(folder / "a", std::string("a\0b", 3));
  MappedFile file(folder / "a");
  EXPECT_EQ(file.text(), std::string_view("a\0b", 3));
  EXPECT_EQ(file.size(), 3);
  EXPECT_EQ(file.data()[2], 'b');
  EXPECT_EQ(file.path(), folder / "a");
  MappedFile moved = std::move(file);
  EXPECT_EQ(moved.text().back(), 'b');
  write_file(folder / "b", "other");
  moved = MappedFile(folder / "b");
  EXPECT_EQ(moved.text(), "other");
}

TEST(MappedFile, MayBeEmpty) {
  const TemporaryFolder folder;
  write_file(folder / "a", "");
  const MappedFile file(folder / "a");
  EXPECT_EQ(file.size(), 0);
  EXPECT_TRUE(file.text().empty());
}

TEST(MappedFile, KeepsTheOldBytesWhenTheFileIsReplaced) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  const MappedFile file(folder / "a");
  write_atomically(folder / "a", [](FileWriter& out) { out.write("n"); });
  EXPECT_EQ(file.text(), "old");
}

TEST(MappedFile, NamesThePathAndTheReason) {
  const TemporaryFolder folder;
  const std::string missing = folder / "no";
  try {
    const MappedFile file(missing);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), "cannot open " + missing + ": No such file or directory");
    EXPECT_EQ(error.code(), Exit::io);
  }
  EXPECT_ERROR(MappedFile(folder.path().string()), ": Is a directory");
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_ERROR(MappedFile(folder / "pipe"), ": not a regular file");
  EXPECT_ERROR(MappedFile("/dev/null"), ": not a regular file");
}

TEST(Shown, IsFitForOneLine) {
  EXPECT_EQ(shown("a b"), "\"a b\"");
  EXPECT_EQ(shown("a\nb\x1b\x7f"), "\"a?b??\"");
  EXPECT_EQ(shown(std::string(80, 'x')), '"' + std::string(80, 'x') + '"');
  EXPECT_EQ(shown(std::string(81, 'x')), '"' + std::string(80, 'x') + "...\"");
  EXPECT_EQ(shown(std::string(79, 'x') + "äö"), '"' + std::string(79, 'x') + "...\"");  // no half characters
}

TEST(MappedFile, ReleasedBytesAreReadAgain) {
  const TemporaryFolder folder;
  std::string bytes;
  for (int i = 0; i < 30000; ++i) bytes += static_cast<char>(i * 7);
  write_file(folder / "a", bytes);
  const MappedFile file(folder / "a");
  EXPECT_EQ(file.text(), bytes);
  file.release(file.data() + 5000, 10000);
  EXPECT_EQ(file.text(), bytes);
  file.release(file.data(), 30000);
  file.release(file.data() + 30000, 0);
  EXPECT_EQ(file.text(), bytes);
}

}  // namespace
}  // namespace lookhere
