// The archive of `make dist`: what is in it, and that its page holds where it is unpacked.
#include <regex>
#include <set>

#include "tensor/text.h"
#include "tests/dist/carried.h"
#include "tests/pages.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

class DistArchive : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(archive)) GTEST_SKIP() << archive << " is not built";
    const Finished end = run_program({"-xf", archive, "-C", folder / ""}, {.program = "/bin/tar"});
    ASSERT_EQ(end.code, 0) << end.err;
  }
  std::string file(const std::string& name) const { return unpacked + "/" + name; }

  const TemporaryFolder folder;
  const std::string archive = carried() + ".tar.gz", unpacked = folder / carried_name();
};

// The packages of Debian that these files are from.
std::set<std::string> packages_of(const std::set<std::string>& paths) {
  const Finished end = run_program(Words{"-S"} + Words(paths.begin(), paths.end()), {.program = "/usr/bin/dpkg-query"});
  EXPECT_EQ(end.code, 0) << end.err;
  std::set<std::string> packages;
  for (const std::string& line : split(end.out, '\n'))
    if (!line.empty()) packages.insert(line.substr(0, line.find(':')));
  return packages;
}

// The archives that it is linked with, by the Makefile's words for them.
std::set<std::string> linked(const std::string& multi) {
  const std::string makefile = read_file("Makefile");
  const std::size_t begin = makefile.find("\nSTATIC :=");
  const std::string words = makefile.substr(begin, makefile.find("\n#", begin) - begin);
  const std::regex library(" -l([a-z0-9]+)");
  std::set<std::string> paths;
  for (std::sregex_iterator word(words.begin(), words.end(), library), end; word != end; ++word)
    for (const char* room : {"/", "/openblas-openmp/"}) {
      const std::string path = concat("/usr/lib/", multi, room, "lib", (*word)[1].str(), ".a");
      std::error_code not_a_link;  // Debian's alternatives are no package's
      if (fs::exists(path) && !fs::read_symlink(path, not_a_link).string().starts_with("/etc/")) paths.insert(path);
    }
  return paths;
}

// The headers that it is compiled with, where they are a package's.
std::set<std::string> included() {
  const std::regex header("#include <([A-Za-z0-9_]+(/[^>]+|\\.h[p]*))>");
  std::set<std::string> paths;
  for (const char* floor : {"kernels", "tensor", "autograd", "nn", "vit"})
    for (const auto& entry : fs::recursive_directory_iterator(floor)) {
      const std::string path = entry.path().generic_string();
      if (!path.ends_with(".h") && !path.ends_with(".cpp")) continue;
      if (path.starts_with("kernels/bench/") || path == "tensor/world/mpi.cpp") continue;
      const std::string text = read_file(path);
      for (std::sregex_iterator line(text.begin(), text.end(), header), end; line != end; ++line)
        if (const std::string found = "/usr/include/" + (*line)[1].str(); fs::exists(found)) paths.insert(found);
    }
  return paths;
}

TEST_F(DistArchive, IsSmallAndUnpacksIntoOneFolder) {
  EXPECT_LT(fs::file_size(archive), 12'000'000U);
  const std::string names = run_program({"-Ptf", archive}, {.program = "/bin/tar"}).out;
  long files = 0;
  for (const std::string& name : split(names.substr(0, names.find_last_not_of('\n') + 1), '\n')) {
    EXPECT_TRUE(name.starts_with(carried_name() + "/") && name.find("..") == name.npos) << name;
    ++files;
  }
  EXPECT_GT(files, 20);
  EXPECT_EQ(read_file(file("lookhere")).find(fs::current_path().string() + "/"), std::string::npos)
      << "a path of the machine that it was built on";
}

TEST_F(DistArchive, HasTheLicencesOfAllThatItIsMadeOf) {
  EXPECT_EQ(read_file(file("LICENSE")), read_file("LICENSE"));
  std::string multi = run_program({"-print-multiarch"}, {.program = "/usr/bin/gcc"}).out;
  multi.pop_back();
  std::set<std::string> parts = linked(multi), headers = included();
  EXPECT_EQ(parts.size(), 8U);
  EXPECT_GE(headers.size(), 8U);
  parts.merge(headers);
  const std::set<std::string> packages = packages_of(parts);
  EXPECT_GE(packages.size(), 13U);
  for (const std::string& package : packages)
    EXPECT_TRUE(fs::exists(file("licences/" + package))) << package << " has no licence there";
  for (const char* compilers : {"libstdc++-12-dev", "libgomp1"})
    EXPECT_TRUE(fs::exists(file(std::string("licences/") + compilers))) << compilers;
  for (const auto& licence : fs::directory_iterator(file("licences"))) EXPECT_GT(fs::file_size(licence), 100U);
}

TEST_F(DistArchive, HasItsManualAndItsPageHolds) {
  EXPECT_EQ(read_file(file("lookhere.1")), run_program({"manual"}).out);
  EXPECT_EQ(read_file(file("lookhere.bash")), run_program({"manual", "--format", "bash"}).out);
  const std::string page = read_file(file("README.md"));
  const std::regex link("\\]\\(([^)]+)\\)"), named("\n\\| (`[^|]+`) \\|");
  for (std::sregex_iterator at(page.begin(), page.end(), link), end; at != end; ++at)
    EXPECT_TRUE(fs::exists(file((*at)[1]))) << (*at)[1];
  std::set<std::string> listed{"README.md"}, there;
  for (std::sregex_iterator at(page.begin(), page.end(), named), end; at != end; ++at)
    for (const std::string& name : split((*at)[1].str(), ',')) {
      const std::size_t begin = name.find('`') + 1;
      listed.insert(name.substr(begin, name.rfind('`') - begin));
    }
  for (const auto& entry : fs::directory_iterator(unpacked)) there.insert(entry.path().filename());
  EXPECT_EQ(listed, there);
  if (std::getenv("LOOKHERE_EMULATOR")) return;  // a shell finds no emulator
  const std::vector<std::string> commands = commands_of(file("README.md"));
  EXPECT_GE(commands.size(), 5U);
  for (const std::string& command : commands) {
    const bool trains = command.find("train --data") != command.npos;
    const Finished end = in_shell(command + (trains ? " --shapes-train 64 --shapes-test 32" : ""), unpacked);
    EXPECT_EQ(end.code, 0) << command << "\n" << end.err;
  }
}

}  // namespace
}  // namespace lookhere
