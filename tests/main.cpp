// Runs all tests and closes with one line: N passed, N failed, N skipped. A $LOOKHERE_ISA that this machine lacks skips
// them all; one that no machine has is an error (exit code 2).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "kernels/simd/isa.h"

namespace {
class Summary : public testing::EmptyTestEventListener {
  void OnTestProgramEnd(const testing::UnitTest& run) override {
    std::printf("%d passed, %d failed, %d skipped\n", run.successful_test_count(), run.failed_test_count(),
                run.skipped_test_count());
  }
};

bool names_an_instruction_set(std::string_view text) {
  return std::ranges::any_of(kernels::kEveryIsa, [&](kernels::Isa isa) { return text == kernels::name_of(isa); });
}
}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (*kernels::isa_problem()) {
    const bool lacked = names_an_instruction_set(std::getenv("LOOKHERE_ISA"));
    std::fprintf(lacked ? stdout : stderr, "%s; %s\n", kernels::isa_problem(),
                 lacked ? "all skipped" : "nothing tested");
    return lacked ? 0 : 2;
  }
  testing::UnitTest::GetInstance()->listeners().Append(new Summary);
  return RUN_ALL_TESTS();
}
