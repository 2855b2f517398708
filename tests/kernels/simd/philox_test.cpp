// Vectors of Philox against Random123, across the counter's carry into its upper half.
#include "kernels/simd/philox.h"

#include <Random123/philox.h>

#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

using kernels::KERNELS_ISA::Philox;

TEST(Philox, DrawsWhatRandom123Draws) {
  const Philox random{.seed = 0x123456789abcdefULL, .a = 7, .b = 0xffffffffU};
  for (const std::uint64_t first : {0ULL, 5ULL, 0xfffffffdULL, 0x123fffffffeULL}) {
    std::uint32_t words[4 * Philox::kCounters];
    random.generate(words, first);
    for (long i = 0; i < Philox::kCounters; ++i) {
      const std::uint64_t count = first + static_cast<std::uint64_t>(i);
      const auto want = r123::Philox4x32()(
          {{static_cast<std::uint32_t>(count), static_cast<std::uint32_t>(count >> 32), random.a, random.b}},
          {{static_cast<std::uint32_t>(random.seed), static_cast<std::uint32_t>(random.seed >> 32)}});
      for (long k = 0; k < 4; ++k) ASSERT_EQ(words[4 * i + k], want[k]) << count;
    }
  }
}

}  // namespace
}  // namespace lookhere
