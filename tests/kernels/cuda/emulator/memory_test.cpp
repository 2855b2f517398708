// The emulated device's memory: open to kernels and copies alone.
#include "kernels/cuda/emulator/memory.h"

#include <cstdint>
#include <cstdlib>

#include "kernels/cuda/device.h"
#include "kernels/cuda/map.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

namespace cuda = kernels::cuda;

TEST(DeviceMemory, ComesBackWhenItWasGivenBack) {
  std::byte *first = cuda::allocate(1000), *second = cuda::allocate(1000);
  EXPECT_NE(first, second);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 256, 0U);
  cuda::release(first);
#ifndef SANITIZED
  EXPECT_EQ(cuda::allocate(1001), first);  // sizes are rounded up
  cuda::release(first);
#endif
  cuda::release(second);
}

TEST(DeviceMemory, IsForKernelsAndCopies) {
  const std::vector<int> from{1, 2, 3};
  std::vector<int> to(3);
  auto* memory = reinterpret_cast<int*>(cuda::allocate(3 * sizeof(int)));
  cuda::copy_to_device(memory, from.data(), 3 * sizeof(int));
  cuda::for_each(cuda::context(), 3, [memory] __device__(long i) { memory[i] *= 10; });
  cuda::copy_within_device(memory + 1, memory, 2 * sizeof(int));
  cuda::synchronise();
  cuda::copy_to_host(to.data(), memory, 3 * sizeof(int));
  EXPECT_EQ(to, (std::vector<int>{10, 10, 20}));
  cuda::clear(memory, 3 * sizeof(int));
  cuda::copy_to_host(to.data(), memory, 3 * sizeof(int));
  EXPECT_EQ(to, (std::vector<int>{0, 0, 0}));
  cuda::release(reinterpret_cast<std::byte*>(memory));
}

// One of the bugs that are planted to see that they are found. Without a sanitizer the memory stays the device's, and
// the host is kept out; with one, whoever uses it later is found as well.
TEST(DeviceMemoryDeathTest, UseFromTheHostOrAfterItWasGivenBack) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  std::byte* memory = cuda::allocate(64);
#ifdef SANITIZED
  cuda::release(memory);
  const auto use = [=] {
    cuda::for_each(cuda::context(), 1, [memory] __device__(long i) { memory[i] = std::byte{1}; });
  };
  EXPECT_DEATH(use(), "heap-use-after-free");
#else
  EXPECT_DEATH(*memory = std::byte{1}, "");
  cuda::release(memory);
#endif
}

}  // namespace
}  // namespace lookhere
