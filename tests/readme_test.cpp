// The README's commands work as written: each line of its sh blocks is run, or, for make, exists.
#include <cstdio>
#include <sstream>

#include "tests/testing.h"

namespace lookhere {
namespace {

// The command lines of all ```sh blocks, without comments.
std::vector<std::string> readme_commands() {
  std::istringstream readme(read_file("README.md"));
  std::vector<std::string> commands;
  bool inside = false;
  for (std::string line; std::getline(readme, line);) {
    if (line.starts_with("```")) {
      inside = line == "```sh";
      continue;
    }
    const std::string command = line.substr(0, line.find(" #"));
    if (inside && !command.empty()) commands.push_back(command);
  }
  return commands;
}

TEST(Readme, ProgramCommandsWorkAsWritten) {
  if (!std::filesystem::exists(built("lookhere"))) GTEST_SKIP() << "lookhere is not built";
  const TemporaryFolder folder;  // "runs/..." and "build/..." resolve there
  std::filesystem::create_directory_symlink(built(""), folder.path() / "build");
  int run = 0;
  for (const std::string& command : readme_commands()) {
    if (!command.starts_with("build/")) continue;
    const std::string line = "cd '" + folder.path().string() + "' && " + command + " >out 2>err";
    EXPECT_EQ(std::system(line.c_str()), 0) << command << "\n" << read_file(folder / "err");
    ++run;
  }
  EXPECT_GE(run, 10);
}

TEST(Readme, MakeTargetsExist) {
  for (const std::string& command : readme_commands()) {
    const std::size_t make = command.starts_with("make") ? 0 : command.find("&& make");
    if (make == std::string::npos) continue;
    const std::string line = command.substr(make ? make + 3 : 0);
    EXPECT_EQ(std::system((line + " -n >/dev/null 2>&1").c_str()), 0) << line;
  }
}

TEST(Readme, IsShort) {
  const std::string text = read_file("README.md");
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 150);
  EXPECT_EQ(text.find('@'), std::string::npos) << "a figure is still missing";
}

}  // namespace
}  // namespace lookhere
