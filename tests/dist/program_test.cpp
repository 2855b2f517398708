// The program of `make dist` where there is nothing but itself: no library, no device, no folder for temporary files.
#include "tests/program.h"
#include "tensor/text.h"
#include "tests/dist/carried.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

TEST(Dist, TrainsResumesEvaluatesAndDrawsInAnEmptyRoot) {
  const std::string program = carried() + "/lookhere";
  if (!std::filesystem::exists(program)) GTEST_SKIP() << program << " is not built";
  EXPECT_EQ(read_file(program).find("/lib64/ld-linux"), std::string::npos) << "it asks for a dynamic linker";
  const TemporaryFolder folder;
  std::filesystem::copy_file(program, folder / "lookhere");
  const char* const emulator = std::getenv("LOOKHERE_EMULATOR");  // of arm64
  if (emulator) std::filesystem::copy_file(emulator, folder / "emulator");
  // Only root may change it; for others an empty environment has to do.
  const bool root = geteuid() == 0;
  const std::string at = root ? "/" : folder / "";
  const auto run = [&](const std::string& words) {
    const Words all =
        split(concat(root ? folder / "" + " " : "-i ", emulator ? at + "emulator " : "", at, "lookhere ", words), ' ');
    return run_program(all, {.program = root ? "/usr/sbin/chroot" : "/usr/bin/env", .seconds = 300});
  };
  // Without --shards the threads decide, and who runs this test may have chosen other ones than -i leaves.
  const std::string small =
      " --shards 2 --shapes-train 64 --shapes-test 32 --img-size 16 --patch-size 4 --dim 16 --depth 1 --heads 4 "
      "--epochs ";
  const Finished trained = run("train --data shapes --output " + at + "run" + small + "1");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Finished resumed = run("train --resume " + at + "run --epochs 2");
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("epoch   2"), std::string::npos) << resumed.err;
  const std::string model = at + "run/last.safetensors";
  EXPECT_TRUE(run("eval --model " + model + " --data shapes").out.find("top-1") != std::string::npos);
  EXPECT_EQ(run("gallery --model " + model + " --data shapes --output " + at + "gallery.svg").code, 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "gallery.svg"));
  // The same bytes as the program that it was made beside.
  const Finished here = run_program(split("train --data shapes --output " + (folder / "here") + small + "1", ' '));
  EXPECT_EQ(here.code, 0) << here.err;
  const Finished again = run("train --data shapes --output " + at + "again" + small + "1");
  EXPECT_EQ(read_file(folder / "again/best.safetensors"), read_file(folder / "here/best.safetensors")) << again.err;
}

// Nothing else defines what calls of exit become there.
TEST(Dist, StaticProgramsWrapExitWhereTheyDefineIt) {
  const std::string carried_to_arm = concat("build/arm64/dist/lookhere-", kVersion, "-linux-aarch64/lookhere");
  const Finished end = run_program({"-n", "ARM=1", "-W", "vit/cli/main.cpp", "-W", "tests/main.cpp",
                                    "build/arm64/lookhere", "build/arm64/tests", carried_to_arm},
                                   {.program = "/usr/bin/make"});
  EXPECT_EQ(end.code, 0) << end.err;
  long programs = 0, static_links = 0;
  for (const std::string& line : split(end.out, '\n')) {
    if (line.find(" -static ") == line.npos) continue;
    const bool defines = line.find("/vit/cli/main.o") != line.npos;
    EXPECT_EQ(line.find("--wrap=exit") != line.npos, defines) << line;
    ++static_links, programs += defines;
  }
  EXPECT_EQ(programs, 2);
  EXPECT_EQ(static_links, 3);
}

}  // namespace
}  // namespace lookhere
