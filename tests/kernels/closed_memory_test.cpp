// Memory that is closed to the process unless someone has opened it.
#include "kernels/closed_memory.h"

#include <cstdint>
#include <cstdlib>

#include "tests/testing.h"

namespace lookhere {
namespace {

TEST(ClosedMemory, BlocksLieSideBySideUntilAllIsTaken) {
  kernels::ClosedMemory memory(4096);
  std::byte *first = memory.take(100), *second = memory.take(1);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0U);
  EXPECT_EQ(second, first + 128);
  EXPECT_EQ(memory.take(4096), nullptr);
  EXPECT_NE(memory.take(1024), nullptr);
}

TEST(ClosedMemoryDeathTest, IsOpenAsLongAsAnyoneHasOpenedIt) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  kernels::ClosedMemory memory(1 << 20);
  std::byte* block = memory.take(1);
  EXPECT_DEATH(*block = std::byte{1}, "");
  ASSERT_TRUE(memory.open());
  ASSERT_TRUE(memory.open());
  *block = std::byte{7};
  memory.close();
  EXPECT_EQ(*block, std::byte{7});
  memory.close();
  volatile const std::byte* pointer = block;
  EXPECT_DEATH(std::exit(*pointer == std::byte{7}), "");
}

}  // namespace
}  // namespace lookhere
