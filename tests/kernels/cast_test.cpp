// Casts against the scalar conversions, bit for bit: every instruction set must round alike.
#include "kernels/cast.h"

#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

using kernels::Wider;

// Both casts, for bf16 and float as the narrower type, over what f makes of T.
template <class T, class Context, class Make>
void expect_casts(Context context, Make make) {
  for (const long n : {1L, 15L, 16L, 17L, 4095L, 4097L, 30001L}) {
    if (std::is_same_v<Context, kernels::Cuda> && n > 4097) continue;
    const std::vector<Wider<T>> x = make(n);
    std::vector<T> narrow(n);
    std::vector<Wider<T>> wide(n);
    kernels::narrow<T>(context, {.y = narrow.data(), .x = x.data(), .n = n});
    kernels::widen<T>(context, {.y = wide.data(), .x = narrow.data(), .n = n});
    for (long i = 0; i < n; ++i) {
      const T want = static_cast<T>(x[i]);
      ASSERT_EQ(std::memcmp(&narrow[i], &want, sizeof(T)), 0) << x[i];
      const auto back = static_cast<Wider<T>>(want);
      ASSERT_EQ(std::memcmp(&wide[i], &back, sizeof(back)), 0) << x[i];
    }
  }
}

TEST(Cast, RandomValues) {
  for_each_context([](auto context) {
    expect_casts<bf16>(context, [](long n) { return random_values<float>(n, 1, -1000, 1000); });
    expect_casts<float>(context, [](long n) { return random_values<double>(n, 1, -1000, 1000); });
  });
}

// Any bits: denormal numbers, ties, infinities and NaN among them.
TEST(Cast, AnyFloat) {
  for_each_context([](auto context) {
    expect_casts<bf16>(context, [](long n) {
      std::vector<float> x(n);
      std::uint32_t bits = 1;
      for (float& value : x) {
        bits = bits * 1664525U + 1013904223U;
        value = std::bit_cast<float>(bits % 3 == 0 ? (bits & 0xffff0000U) + 0x8000U : bits);
      }
      for (long i = 0; i < std::min(n, 16L); ++i)
        x[i] = std::bit_cast<float>((i % 2 ? 0x80000000U : 0U) + (i < 8 ? 0x7f800000U : 0U) + (i % 4 ? 1U : 0U));
      return x;
    });
  });
}

}  // namespace
}  // namespace lookhere
