// Runs all tests and closes with one line: N passed, N failed, N skipped.
#include <gtest/gtest.h>

#include <cstdio>

#include "kernels/simd/isa.h"

namespace {
class Summary : public testing::EmptyTestEventListener {
  void OnTestProgramEnd(const testing::UnitTest& run) override {
    std::printf("%d passed, %d failed, %d skipped\n", run.successful_test_count(), run.failed_test_count(),
                run.skipped_test_count());
  }
};
}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (*kernels::isa_problem()) {
    std::printf("%s; nothing tested\n", kernels::isa_problem());
    return 0;
  }
  testing::UnitTest::GetInstance()->listeners().Append(new Summary);
  return RUN_ALL_TESTS();
}
