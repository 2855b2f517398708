// Philox against its authors' known answers, and the distributions made from it.
#include "tensor/random.h"

#include <algorithm>
#include <set>

#include "tests/testing.h"

namespace lookhere {
namespace {

using Philox = r123::Philox4x32;
using Words = std::array<std::uint32_t, 4>;

Words philox(const Philox::ctr_type& counter, const Philox::key_type& key) {
  const Philox::ctr_type out = Philox()(counter, key);
  return {out[0], out[1], out[2], out[3]};
}

TEST(Random, PhiloxKnownAnswers) {
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox({{0, 0, 0, 0}}, {{0, 0}}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({{kOnes, kOnes, kOnes, kOnes}}, {{kOnes, kOnes}}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, {{0xa4093822, 0x299f31d0}}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Checkpoints rely on this: the seed is the key, low half first; (block, b, a, purpose) is the counter.
TEST(Random, StreamsAreWhereTheyWere) {
  Rng zero(0, Purpose::init);
  for (const std::uint32_t word : {0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U})
    EXPECT_EQ(zero.next_u32(), word);
  Rng rng(0x299f31d0a4093822, Purpose::augment, 7, 9);
  for (std::uint32_t block = 0; block < 3; ++block)
    for (const std::uint32_t word : philox({{block, 9, 7, 2}}, {{0xa4093822, 0x299f31d0}}))
      EXPECT_EQ(rng.next_u32(), word);
}

TEST(Random, SameStreamSameNumbers) {
  Rng a(42, Purpose::dropout, 3, 5), b(42, Purpose::dropout, 3, 5);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next_u32(), b.next_u32());
}

TEST(Random, StreamsDiffer) {
  std::vector<Rng> streams{Rng(1, Purpose::init), Rng(2, Purpose::init), Rng(1ULL << 32, Purpose::init)};
  streams.insert(streams.end(), {Rng(1, Purpose::shuffle), Rng(1, Purpose::init, 1), Rng(1, Purpose::init, 0, 1)});
  std::set<std::uint32_t> seen;
  for (Rng& rng : streams)
    for (int i = 0; i < 100; ++i) seen.insert(rng.next_u32());
  EXPECT_GE(seen.size(), 599U);  // 600 draws of 32 bits: one coincidence has a chance of 4e-5
}

TEST(Random, UniformStaysInRange) {
  Rng rng(1, Purpose::test);
  float low = 1, high = 0;
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    const float value = rng.uniform();
    low = std::min(low, value), high = std::max(high, value), sum += value;
  }
  EXPECT_GE(low, 0);
  EXPECT_LT(high, 1);
  EXPECT_LT(low, 1e-3);
  EXPECT_GT(high, 0.999);
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);  // five standard errors
  for (int i = 0; i < 1000; ++i) {
    const float value = rng.uniform(-3, 5);
    EXPECT_TRUE(-3 <= value && value < 5) << value;
  }
}

TEST(Random, BelowReachesEveryValueEvenly) {
  Rng rng(2, Purpose::test);
  std::array<int, 7> count{};
  for (int i = 0; i < 70000; ++i) ++count.at(rng.below(7));
  for (const int n : count) EXPECT_NEAR(n, 10000, 500);
  EXPECT_EQ(rng.below(1), 0U);
}

TEST(Random, NormalHasItsMoments) {
  Rng rng(3, Purpose::test);
  constexpr int kDraws = 200000;
  double sum = 0, squares = 0, fourths = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = rng.normal(), square = value * value;
    ASSERT_TRUE(std::isfinite(value));
    sum += value, squares += square, fourths += square * square;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.012);  // five standard errors each: 1, sqrt(2) and sqrt(96) over sqrt(draws)
  EXPECT_NEAR(squares / kDraws, 1, 0.016);
  EXPECT_NEAR(fourths / kDraws, 3, 0.11);
}

TEST(Random, TruncatedNormalStaysWithinTwo) {
  Rng wide(4, Purpose::test), narrow(4, Purpose::test), plain(4, Purpose::test);
  double largest = 0;
  for (int i = 0; i < 20000; ++i) largest = std::max(largest, std::abs(wide.truncated_normal(1)));
  EXPECT_LE(largest, 2);
  EXPECT_GT(largest, 1.99);
  // The bound is absolute: at timm's 0.02 nothing is ever redrawn.
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(narrow.truncated_normal(0.02), 0.02 * plain.normal());
}

}  // namespace
}  // namespace lookhere
