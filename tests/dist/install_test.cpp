// `make install`, all of it but the build.
#include "tests/program.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

Finished install(const Words& words, const std::string& home = "/nowhere") {
  Words all{"HOME=" + home, "make", "install", "PROGRAM=" + built("lookhere"), "PARALLEL=@echo builds"};
  if (std::getenv("LOOKHERE_EMULATOR")) all.emplace_back("ARM=1");
  return run_program(all + words, {.program = "/usr/bin/env"});
}

TEST(DistInstall, PutsFourFilesWhereDebianDoes) {
  const TemporaryFolder folder;
  const mode_t before = umask(077);  // root's, on a careful machine
  const Finished end = install({"DESTDIR=" + folder / "root", "PREFIX=/usr"});
  umask(before);
  ASSERT_EQ(end.code, 0) << end.out << end.err;
  EXPECT_NE(end.out.find("builds " + built("lookhere")), std::string::npos) << end.out;
  const std::string usr = folder / "root/usr/", program = usr + "bin/lookhere",
                    page = usr + "share/man/man1/lookhere.1",
                    completion = usr + "share/bash-completion/completions/lookhere",
                    licence = usr + "share/doc/lookhere/copyright";
  long files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "root")) files += entry.is_regular_file();
  EXPECT_EQ(files, 4);
  for (const std::string& path : {program, page, completion, licence})
    EXPECT_NE(fs::status(path).permissions() & fs::perms::others_read, fs::perms::none) << path;
  EXPECT_LT(fs::file_size(program), fs::file_size(built("lookhere"))) << "it is not stripped";
  EXPECT_EQ(read_file(page), run_program({"manual"}).out);
  EXPECT_EQ(read_file(licence), read_file("LICENSE"));
  if (fs::exists("/usr/bin/man")) {
    const Finished man =
        run_program({"--warnings", "-l", page}, {.program = "/usr/bin/man", .environment = {"PAGER=cat"}});
    EXPECT_EQ(man.code, 0);
    EXPECT_EQ(man.err, "");
  }
  const Finished completed = run_program(
      {"-c", "source '" + completion + "' && COMP_WORDS=(lookhere tr) COMP_CWORD=1 && _lookhere; echo ${COMPREPLY[@]}"},
      {.program = "/bin/bash"});
  EXPECT_EQ(completed.out + completed.err, "train\n");
}

// dash does not say what ~ is.
TEST(DistInstall, KnowsTheFolderOfTheUser) {
  const TemporaryFolder folder;
  const Finished own = install({"PREFIX=~/.local"}, folder / "mine");
  EXPECT_EQ(own.code, 0) << own.err;
  EXPECT_TRUE(fs::exists(folder / "mine/.local/bin/lookhere")) << own.out;
  const Finished other = install({"DESTDIR=" + folder / "root", "PREFIX=~daemon/.local"});
  EXPECT_NE(other.code, 0);
  EXPECT_NE(other.err.find("install: wanted a folder's path, got ~daemon/.local\n"), std::string::npos) << other.err;
  EXPECT_FALSE(fs::exists(folder / "root"));
}

TEST(DistInstall, InstallsFirstWhatIsMissing) {
  const TemporaryFolder folder;
  const Finished end = install({"DESTDIR=" + folder / "", "BUILD_DEPS=g++ no-such-package", "SUDO=echo"});
  const std::size_t package = end.out.find("installing from Debian: no-such-package\n"),
                    build = end.out.find("builds ");
  EXPECT_LT(package, build) << end.out << end.err;
  EXPECT_NE(build, std::string::npos);
}

}  // namespace
}  // namespace lookhere
