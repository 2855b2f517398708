// Which instruction set the kernels use: the best this processor has, or the one $LOOKHERE_ISA names.
#include "kernels/simd/isa.h"

#include "tests/testing.h"

namespace lookhere {
namespace {

using kernels::Isa;

TEST(InstructionSet, IsTheOneAskedForOrTheBest) {
  const char* wanted = std::getenv("LOOKHERE_ISA");
  for (const Isa isa : kernels::kEveryIsa)
    if (wanted && std::string(wanted) == kernels::name_of(isa)) {
      EXPECT_EQ(kernels::isa(), isa);
      return;
    }
  for (const Isa isa : kernels::kEveryIsa)
    EXPECT_TRUE(!kernels::can_run(isa) || isa <= kernels::isa()) << kernels::name_of(isa);
}

TEST(InstructionSet, PortableAlwaysRuns) { EXPECT_TRUE(kernels::can_run(Isa::portable)); }

TEST(InstructionSet, EachIncludesTheOnesBefore) {
  for (std::size_t i = 1; i < std::size(kernels::kEveryIsa); ++i)
    EXPECT_TRUE(!kernels::can_run(kernels::kEveryIsa[i]) || kernels::can_run(kernels::kEveryIsa[i - 1])) << i;
}

TEST(InstructionSet, ForcedByTheEnvironment) {
  if (!std::filesystem::exists(built("lookhere"))) GTEST_SKIP() << "lookhere is not built";
  const auto info = [](const std::string& isa) {
    const TemporaryFolder folder;
    const int status =
        std::system(("LOOKHERE_ISA=" + isa + " " + built("lookhere") + " info >" + (folder / "out") + " 2>&1").c_str());
    return std::to_string(status >> 8) + " " + read_file(folder / "out");
  };
  for (const Isa isa : kernels::kEveryIsa) {
    const std::string name = kernels::name_of(isa);
    const std::string got = info(name);
    if (kernels::can_run(isa))
      EXPECT_NE(got.find("kernels " + name + ","), std::string::npos) << got;
    else
      EXPECT_EQ(got, "2 lookhere: LOOKHERE_ISA: this processor or this build lacks the one it names\n");
  }
  EXPECT_EQ(info("sse9"), "2 lookhere: LOOKHERE_ISA: wanted portable, avx2, avx512 or avx512_bf16\n");
}

}  // namespace
}  // namespace lookhere
