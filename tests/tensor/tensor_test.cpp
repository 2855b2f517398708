// Shapes, tensors, bf16 and the memory pool.
#include "tensor/tensor.h"

#include <gmock/gmock.h>

#include <limits>
#include <thread>

#include "tensor/out_of_memory.h"
#include "tensor/pool.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Tensor counting(const Shape& shape) {
  Tensor t = empty(shape);
  for (long i = 0; i < t.numel(); ++i) t.host<float>()[i] = static_cast<float>(i);
  return t;
}

TEST(Shape, Sizes) {
  const Shape shape{2, 3, 5};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape.numel(), 30);
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape[-2], 3);
  EXPECT_EQ(shape.back(), 5);
  EXPECT_EQ(concat(shape), "[2, 3, 5]");
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ(concat(Shape{}), "[]");
  EXPECT_EQ((Shape{4, 0}).numel(), 0);
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{2}), (Shape{2, 0}));
}

TEST(Shape, Errors) {
  constexpr long kHuge = 1L << 32;
  EXPECT_ERROR((Shape{1, 1, 1, 1, 1, 1}), "shape: at most 5 sizes, got 6");
  EXPECT_ERROR((Shape{2, -1}), "shape: sizes must not be negative, got -1");
  EXPECT_ERROR((Shape{2, 3})[2], "shape: no size 2 in a shape of 2");
  EXPECT_ERROR((Shape{2, 3})[-3], "shape: no size -3");
  EXPECT_ERROR(Shape{}.back(), "shape: no size -1 in a shape of 0");
  EXPECT_ERROR((Shape{kHuge, kHuge}).numel(), "size overflow");
  EXPECT_ERROR(empty({1L << 62}), "size overflow: 4611686018427387904 x 4");
  EXPECT_ERROR(checked_mul(std::numeric_limits<long>::min(), -1), "size overflow");
  EXPECT_EQ(checked_mul(kHuge, kHuge / 4), 1L << 62);
}

TEST(Tensor, ReshapeSharesMemory) {
  const Tensor t = counting({2, 6});
  const Tensor r = t.reshape({3, 4});
  EXPECT_EQ(r.shape(), (Shape{3, 4}));
  EXPECT_EQ(r.raw(), t.raw());
  EXPECT_FALSE(t.unique());
  EXPECT_EQ(t.shape(), (Shape{2, 6}));
  EXPECT_ERROR(t.reshape({5}), "reshape: [2, 6] has 12 elements, [5] has 5");
}

TEST(Tensor, RowsShareMemory) {
  const Tensor t = counting({4, 3});
  const Tensor r = t.rows(1, 3);
  EXPECT_EQ(r.shape(), (Shape{2, 3}));
  EXPECT_EQ(to_vector<float>(r), (std::vector<float>{3, 4, 5, 6, 7, 8}));
  r.rows(1, 2).host<float>()[0] = -1;  // a slice of a slice
  EXPECT_EQ(t.host<float>()[6], -1);
  EXPECT_EQ(r.reshape({6}).host<float>()[3], -1);
  EXPECT_EQ(t.rows(4, 4).numel(), 0);
  EXPECT_EQ(zeros({0, 3}).rows(0, 0).shape(), (Shape{0, 3}));
  EXPECT_ERROR(t.rows(2, 5), "rows: [2, 5) is not inside [4, 3]");
  EXPECT_ERROR(t.rows(-1, 2), "rows: [-1, 2)");
  EXPECT_ERROR(t.rows(3, 2), "rows: [3, 2)");
  EXPECT_ERROR(zeros({}).rows(0, 0), "is not inside []");
}

TEST(Tensor, ViewsReachAllOfTheMemory) {
  const Tensor t = counting({4, 3});
  const Tensor v = t.view(5, {2, 2});
  EXPECT_EQ(to_vector<float>(v), (std::vector<float>{5, 6, 7, 8}));
  EXPECT_TRUE(v.shares_memory(t));
  EXPECT_FALSE(v.shares_memory(t.clone()));
  EXPECT_FALSE(Tensor().shares_memory(Tensor()));
  EXPECT_EQ(to_vector<float>(v.view(1, {6})), (std::vector<float>{6, 7, 8, 9, 10, 11}));  // beyond v, not beyond t
  EXPECT_EQ(t.rows(1, 2).view(0, {9}).raw(), t.raw() + 12);
  EXPECT_ERROR(v.view(1, {7}), "view: [7] from element 1 is not inside the memory of [2, 2]");
  EXPECT_ERROR(t.view(13, {0}), "view: [0] from element 13");
  EXPECT_ERROR(t.view(-1, {1}), "view: [1] from element -1");
  EXPECT_ERROR(t.view(1L << 60, {1}), "view: ");
  EXPECT_EQ(t.view(12, {0}).numel(), 0);
}

TEST(Tensor, CopiesIntoItsMemory) {
  const Tensor t = counting({4, 3});
  t.view(2, {3}).copy_from(full({3}, 9));
  EXPECT_EQ(to_vector<float>(t.view(0, {6})), (std::vector<float>{0, 1, 9, 9, 9, 5}));
  EXPECT_ERROR(t.copy_from(zeros({12})), "copy: wanted f32 [4, 3], got f32 [12]");
  EXPECT_ERROR(t.copy_from(zeros({4, 3}, Dtype::f64)), "copy: wanted f32 [4, 3], got f64 [4, 3]");
}

TEST(Tensor, CloneIsDeep) {
  const Tensor t = counting({4, 3}), copy = t.rows(1, 2).clone();
  EXPECT_TRUE(copy.unique());
  t.host<float>()[3] = 99;
  EXPECT_EQ(to_vector<float>(copy), (std::vector<float>{3, 4, 5}));
  EXPECT_EQ(zeros({0}).clone().numel(), 0);
}

TEST(Tensor, ConvertsBetweenAllDtypes) {
  const std::vector<Dtype> dtypes{Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::i64};
  const Tensor t = from_vector<double>({-3, 0, 1, 128}, {2, 2});  // exact in all of them
  for (const Dtype a : dtypes)
    for (const Dtype b : dtypes) {
      const Tensor back = t.to(a).to(b);
      EXPECT_EQ(back.dtype(), b);
      EXPECT_EQ(back.shape(), t.shape());
      EXPECT_EQ(to_vector<double>(back.to(Dtype::f64)), to_vector<double>(t)) << a << " to " << b;
    }
  EXPECT_EQ(t.to(Dtype::f64).raw(), t.raw());  // itself if nothing changes
  EXPECT_EQ(t.rows(1, 2).to(Dtype::i64).host<i64>()[1], 128);
  EXPECT_EQ(full({1}, 0.1, Dtype::f64).item(), 0.1);
  EXPECT_EQ(full({1}, 0.1, Dtype::f32).item(), static_cast<double>(0.1F));
  EXPECT_EQ(full({1}, -1.9, Dtype::i64).item(), -1);  // towards zero
}

TEST(Tensor, MakesAndFills) {
  EXPECT_EQ(to_vector<float>(zeros({3})), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(to_vector<i64>(full({2}, 7, Dtype::i64)), (std::vector<i64>{7, 7}));
  EXPECT_EQ(zeros({2}, Dtype::bf16).bytes(), 4);
  EXPECT_EQ(zeros({}).numel(), 1);
  EXPECT_EQ(empty_like(zeros({2, 3}, Dtype::f64)).dtype(), Dtype::f64);
  EXPECT_EQ(zeros_like(full({2}, 1)).host<float>()[1], 0);
  EXPECT_EQ(empty({5}, zeros({1}, Dtype::i64)).dtype(), Dtype::i64);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(zeros({3}).raw()) % 64, 0U);
}

TEST(Tensor, Errors) {
  const Tensor undefined;
  EXPECT_FALSE(undefined.defined());
  EXPECT_ERROR(undefined.host<float>(), "tensor: read before it was given a value");
  EXPECT_ERROR(zeros({2}).host<double>(), "tensor: wanted f64, got f32");
  EXPECT_ERROR(zeros({2}).item(), "item: wanted one element, got shape [2]");
  EXPECT_ERROR(from_vector<float>({1, 2}, {3}), "from_vector: shape [3] wants 3 values, got 2");
}

float through_bf16(float value) { return static_cast<float>(bf16(value)); }
float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

TEST(Bf16, RoundsToNearestTiesToEven) {
  EXPECT_EQ(bf16(1.0F).bits, 0x3f80);
  EXPECT_EQ(bf16(from_bits(0x3f808000)).bits, 0x3f80);  // tie, even below
  EXPECT_EQ(bf16(from_bits(0x3f818000)).bits, 0x3f82);  // tie, even above
  EXPECT_EQ(bf16(from_bits(0x3f807fff)).bits, 0x3f80);
  EXPECT_EQ(bf16(from_bits(0x3f808001)).bits, 0x3f81);
  EXPECT_EQ(bf16(from_bits(0xbf818000)).bits, 0xbf82);  // away from zero as well
  EXPECT_EQ(bf16(from_bits(0x3fffffff)).bits, 0x4000);  // carries into the exponent
}

TEST(Bf16, SpecialValues) {
  EXPECT_EQ(through_bf16(kInfinity), kInfinity);
  EXPECT_EQ(through_bf16(-kInfinity), -kInfinity);
  EXPECT_EQ(through_bf16(std::numeric_limits<float>::max()), kInfinity);
  EXPECT_EQ(through_bf16(std::numeric_limits<float>::lowest()), -kInfinity);
  EXPECT_EQ(bf16(from_bits(0x7f7f7fff)).bits, 0x7f7f);  // the last one that stays finite
  EXPECT_EQ(bf16(from_bits(0x7f7f8000)).bits, 0x7f80);
  EXPECT_EQ(bf16(-0.0F).bits, 0x8000);
  // A NaN whose only bits lie in the lower half must not become infinity, nor wrap to zero.
  for (const std::uint32_t nan : {0x7f800001U, 0x7fc00000U, 0x7fffffffU, 0xff800001U, 0xffffffffU})
    EXPECT_TRUE(std::isnan(through_bf16(from_bits(nan)))) << std::hex << nan;
}

TEST(Bf16, Denormals) {
  EXPECT_EQ(bf16(from_bits(0x00000001)).bits, 0);
  EXPECT_EQ(bf16(from_bits(0x00008000)).bits, 0);  // tie with zero
  EXPECT_EQ(bf16(from_bits(0x00008001)).bits, 1);
  EXPECT_EQ(bf16(from_bits(0x00018000)).bits, 2);
  EXPECT_EQ(bf16(from_bits(0x007fffff)).bits, 0x0080);  // up to the smallest normal number
  EXPECT_EQ(through_bf16(from_bits(0x00010000)), from_bits(0x00010000));
}

TEST(Bf16, EveryValueSurvives) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = from_bits(bits << 16);
    EXPECT_TRUE(std::isnan(value) || bf16(value).bits == bits) << std::hex << bits;
  }
}

Pool& pool() { return Pool::of(Device::cpu); }

TEST(Pool, ReusesBlocksOfNearlyEqualSize) {
  const std::byte* first = pool().allocate(1'000'003).get();
  const PoolStats before = pool().stats();
  const auto again = pool().allocate(1'000'000);
  EXPECT_EQ(again.get(), first);
  EXPECT_EQ(pool().stats().allocations, before.allocations);
  EXPECT_EQ(pool().stats().reserved, before.reserved);
}

TEST(Pool, CountsBytes) {
  const long before = pool().stats().in_use;
  pool().reset_peak();
  EXPECT_EQ(pool().stats().peak, before);
  {
    const Tensor a = zeros({1000}), shared = a.rows(0, 10);
    const long held = pool().stats().in_use - before;
    EXPECT_GE(held, 4000);
    EXPECT_LE(held, 4000 * 9 / 8 + 64);  // rounding costs an eighth at most
  }
  EXPECT_EQ(pool().stats().in_use, before);
  EXPECT_GE(pool().stats().peak, before + 4000);
  EXPECT_GE(pool().stats().reserved, pool().stats().in_use);
}

TEST(Pool, LimitFailsWithItsOwnExitCode) {
  const PoolStats before = pool().stats();
  pool().set_limit(before.in_use + (8 << 20));
  try {
    empty({5L << 20});
    ADD_FAILURE() << "20 MiB fitted into 8";
  } catch (const OutOfMemory& error) {
    EXPECT_THAT(error.what(), testing::MatchesRegex("out of memory: 20 MiB wanted, .* in use, .* allowed"));
  }
  EXPECT_EQ(pool().stats().in_use, before.in_use);
  EXPECT_NO_THROW(empty({1L << 20}));  // kept blocks were given back to make room
  pool().set_limit(0);
  EXPECT_NO_THROW(empty({5L << 20}));
}

TEST(Pool, ReleasesWhatIsKept) {
  pool().release_kept();
  const PoolStats before = pool().stats();
  EXPECT_EQ(before.reserved, before.in_use);
  const Tensor small = zeros({1000}), large = zeros({1L << 20});
  { const Tensor kept_small = zeros({1000}), kept_large = zeros({1L << 20}); }
  EXPECT_EQ(pool().stats().allocations, before.allocations + 4);
  EXPECT_GT(pool().stats().reserved, pool().stats().in_use);
  pool().release_kept();
  EXPECT_EQ(pool().stats().reserved, pool().stats().in_use);
  EXPECT_EQ(large.host<float>()[(1 << 20) - 1], 0);  // what is in use stays
}

TEST(Pool, AbsurdSizesFailAtOnce) {
  for (const long bytes : {(1L << 46) + 1, (1L << 62) + 1, std::numeric_limits<long>::max()}) {
    try {
      pool().allocate(bytes);
      ADD_FAILURE() << bytes;
    } catch (const OutOfMemory& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(" MiB wanted, "));
    }
  }
  EXPECT_ERROR(pool().allocate(-1), "negative size");
}

TEST(Pool, NothingIsSharedBetweenThreads) {
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id)
    threads.emplace_back([id] {
      for (int i = 0; i < 200; ++i) {
        const Tensor t = full({100 + i}, id);
        const std::vector<float> values = to_vector<float>(t);
        EXPECT_EQ(std::count(values.begin(), values.end(), static_cast<float>(id)), 100 + i);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace lookhere
