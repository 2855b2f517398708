// Which instruction set the kernels use: the best this processor has, or the one $LOOKHERE_ISA names.
#include "kernels/simd/isa.h"

#include "tests/program.h"

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
    const Finished end = run_program({"info"}, {.environment = {"LOOKHERE_ISA=" + isa}});
    return concat(end.code, ' ', end.out, end.err);
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

// Tests that ran nothing must not look as if they had passed.
TEST(InstructionSet, AMisspeltOneFailsTheTests) {
  const auto tests = [](const std::string& isa) {
    const Finished end = run_program({"--gtest_brief=1", "--gtest_filter=InstructionSet.PortableAlwaysRuns"},
                                     {.program = built("tests"), .environment = {"LOOKHERE_ISA=" + isa}});
    return concat(end.code, ' ', end.out, end.err);
  };
  EXPECT_EQ(tests("sse9"), "2 LOOKHERE_ISA: wanted portable, avx2, avx512 or avx512_bf16; nothing tested\n");
  for (const Isa isa : kernels::kEveryIsa) {
    const std::string got = tests(kernels::name_of(isa));
    if (kernels::can_run(isa))
      EXPECT_NE(got.find("1 passed, 0 failed, 0 skipped"), std::string::npos) << got;
    else
      EXPECT_EQ(got, "0 LOOKHERE_ISA: this processor or this build lacks the one it names; all skipped\n");
  }
}

}  // namespace
}  // namespace lookhere
