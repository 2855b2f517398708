// Degrees of conflict that can be counted by hand.
#include "kernels/cuda/trace_page/conflicts.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace kernels::trace_page {
namespace {

Conflicts conflicts_of_all(std::int64_t bytes, const std::function<std::int64_t(int lane)>& element,
                           std::uint32_t lanes = ~0U, std::int64_t address = 0, bool atomic = false) {
  std::vector<LaneAddress> addresses;
  for (int lane = 0; lane < kLanes; ++lane)
    if (lanes >> lane & 1) addresses.push_back({lane, address + element(lane) * bytes});
  return conflicts_of(addresses, bytes, atomic);
}
int degree_of_stride(std::int64_t bytes, std::int64_t stride, std::uint32_t lanes = ~0U, std::int64_t address = 0) {
  return conflicts_of_all(
             bytes, [&](int lane) { return lane * stride; }, lanes, address)
      .degree;
}

TEST(Conflicts, OfStrides) {
  for (const auto& [stride, degree] : {std::pair{0, 1},
                                       {1, 1},
                                       {2, 2},
                                       {3, 1},
                                       {4, 4},
                                       {6, 2},
                                       {8, 8},
                                       {12, 4},
                                       {16, 16},
                                       {31, 1},
                                       {32, 32},
                                       {33, 1},
                                       {34, 2},
                                       {64, 32},
                                       {96, 32}}) {
    EXPECT_EQ(degree_of_stride(4, stride), degree) << stride;
    EXPECT_EQ(degree_of_stride(4, stride, ~0U, 128 * 7 + 4), degree) << stride;  // wherever the array is
  }
  EXPECT_EQ(degree_of_stride(4, 32, 0xffU), 8);  // no more than lanes that take part
  EXPECT_EQ(degree_of_stride(4, 32, 0x80000001U), 2);
  EXPECT_EQ(degree_of_stride(4, 32, 4U), 1);
  EXPECT_EQ(degree_of_stride(4, 1, 0), 0);
}

// Bytes and halves of one word are one word.
TEST(Conflicts, OfSmallElements) {
  EXPECT_EQ(degree_of_stride(1, 1), 1);
  EXPECT_EQ(degree_of_stride(2, 1), 1);
  EXPECT_EQ(degree_of_stride(2, 2), 1);
  EXPECT_EQ(degree_of_stride(2, 4), 2);
  EXPECT_EQ(degree_of_stride(1, 128), 32);
  EXPECT_EQ(degree_of_stride(2, 64), 32);
  EXPECT_EQ(degree_of_stride(2, 66), 1);
}

// 8 bytes are served to half a warp at a time, 16 to a quarter.
TEST(Conflicts, OfLargeElements) {
  EXPECT_EQ(lanes_at_a_time(1), 32);
  EXPECT_EQ(lanes_at_a_time(4), 32);
  EXPECT_EQ(lanes_at_a_time(8), 16);
  EXPECT_EQ(lanes_at_a_time(16), 8);
  EXPECT_EQ(lanes_at_a_time(1000), 1);
  for (const auto& [stride, degree] : {std::pair{0, 1}, {1, 1}, {2, 2}, {3, 1}, {8, 8}, {16, 16}, {17, 1}, {32, 16}})
    EXPECT_EQ(degree_of_stride(8, stride), degree) << stride;
  for (const auto& [stride, degree] : {std::pair{0, 1}, {1, 1}, {2, 2}, {8, 8}, {9, 1}})
    EXPECT_EQ(degree_of_stride(16, stride), degree) << stride;
  // The same bank in different halves costs nothing.
  EXPECT_EQ(conflicts_of_all(8, [](int lane) { return lane < 16 ? 0 : 16; }).degree, 1);
  EXPECT_EQ(conflicts_of_all(8, [](int lane) { return lane % 2 ? 0 : 16; }).degree, 2);
}

// Lanes with atomics on one word wait for each other.
TEST(Conflicts, OfAtomics) {
  const auto of = [](std::int64_t bytes, const std::function<std::int64_t(int lane)>& element) {
    return conflicts_of_all(bytes, element, ~0U, 0, true);
  };
  EXPECT_EQ(of(4, [](int) { return 5; }), (Conflicts{32, ~0U, false}));
  EXPECT_EQ(of(4, [](int lane) { return lane; }), (Conflicts{1, 0, false}));
  EXPECT_EQ(of(4, [](int lane) { return lane == 7 ? 0 : lane; }), (Conflicts{2, 0x81U, false}));
  EXPECT_EQ(of(4, [](int lane) { return lane % 4 * 32; }), (Conflicts{32, ~0U, false}));
  EXPECT_EQ(of(8, [](int) { return 0; }), (Conflicts{16, ~0U, false}));
}

TEST(Conflicts, SayWhoWaitsAndWhoShares) {
  EXPECT_EQ(conflicts_of_all(4, [](int) { return 5; }), (Conflicts{1, 0, true}));
  EXPECT_EQ(conflicts_of_all(4, [](int lane) { return lane; }), (Conflicts{1, 0, false}));
  EXPECT_EQ(conflicts_of_all(4, [](int lane) { return lane / 2; }), (Conflicts{1, 0, true}));
  // Lane 1 wants bank 0 as lane 0 does, another word; the others have banks of their own.
  EXPECT_EQ(conflicts_of_all(4, [](int lane) { return lane == 1 ? 32 : lane; }), (Conflicts{2, 3, false}));
  // Lanes 0-15 want word 0, the others word 32: both of bank 0.
  EXPECT_EQ(conflicts_of_all(4, [](int lane) { return lane / 16 * 32; }), (Conflicts{2, ~0U, true}));
}

}  // namespace
}  // namespace kernels::trace_page
