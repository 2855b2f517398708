// Vectors of bf16 against the scalar type: every bf16 read, and every kind of float rounded, bit for bit.
#include "kernels/simd/bf16_vector.h"

#include <bit>

#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

using kernels::bf16;
using namespace kernels::KERNELS_ISA;

constexpr long kWidth = kLanes<float>;

TEST(Bf16Vector, ReadsEveryBf16) {
  for (std::uint32_t first = 0; first < 1U << 16; first += kWidth) {
    bf16 in[kWidth];
    float out[kWidth];
    for (long i = 0; i < kWidth; ++i) in[i] = std::bit_cast<bf16>(static_cast<std::uint16_t>(first + i));
    store(out, load_as<float>(in));
    for (long i = 0; i < kWidth; ++i) ASSERT_EQ(std::bit_cast<std::uint32_t>(out[i]), (first + i) << 16);
  }
}

// All exponents and signs, denormal numbers, infinity and NaN, with mantissas around what decides the rounding.
TEST(Bf16Vector, RoundsAsTheScalarDoes) {
  std::vector<float> values;
  for (std::uint32_t high = 0; high < 1U << 16; ++high)
    for (const std::uint32_t low : {0U, 1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU})
      values.push_back(std::bit_cast<float>(high << 16 | low));
  ASSERT_EQ(values.size() % kWidth, 0);
  for (std::size_t i = 0; i < values.size(); i += kWidth) {
    bf16 out[kWidth];
    store_as(out, load_as<float>(values.data() + i));
    for (long k = 0; k < kWidth; ++k) ASSERT_EQ(out[k], bf16(values[i + k])) << values[i + k];
  }
}

TEST(Bf16Vector, EndsOfRows) {
  for (long n = 0; n < kWidth; ++n) {
    bf16 in[kWidth], out[kWidth];
    for (long i = 0; i < kWidth; ++i) in[i] = bf16(static_cast<float>(i + 1)), out[i] = bf16(-1.F);
    const Vector<float> part = load_as<float>(in, n);
    store_as(out, part, n);
    for (long i = 0; i < kWidth; ++i) {
      EXPECT_EQ(part[i], i < n ? static_cast<float>(i + 1) : 0);
      EXPECT_EQ(out[i], i < n ? in[i] : bf16(-1.F));
    }
  }
}

TEST(Bf16Vector, OtherTypesPassThrough) {
  const std::vector<double> in = random_values<double>(kLanes<double>, 1);
  std::vector<double> out(in.size());
  store_as(out.data(), load_as<double>(in.data()));
  EXPECT_EQ(in, out);
}

}  // namespace
}  // namespace lookhere
