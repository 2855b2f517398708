// Blocks do not overlap, keep what is written to them, and addresses that were given back are used again.
#include "tensor/large_blocks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "tensor/random.h"

namespace lookhere {
namespace {

constexpr long kMany = 40L << 20;  // more than one chunk

// Bytes of this process in memory.
long resident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6)) * 1024;
  return 0;
}

TEST(LargeBlocks, UsesAddressesAgain) {
  LargeBlocks blocks;
  const long size = 1L << 20;
  std::byte *a = blocks.take(size), *b = blocks.take(size), *c = blocks.take(size);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a) % LargeBlocks::kUnit, 0U);
  EXPECT_EQ(b, a + size);  // side by side
  EXPECT_EQ(c, b + size);
  blocks.give_back(b);
  EXPECT_EQ(blocks.take(size), b);
  blocks.give_back(a), blocks.give_back(c), blocks.give_back(b);  // holes that grow together
  EXPECT_EQ(blocks.take(3 * size), a);
  blocks.give_back(a);
}

TEST(LargeBlocks, GivesMemoryBack) {
  LargeBlocks blocks;
  std::byte* block = blocks.take(kMany);
  std::memset(block, 1, kMany);
  const long with = resident();
  blocks.give_back(block);
  EXPECT_LE(resident(), with - kMany / 2);
}

TEST(LargeBlocks, NoneIsHandedOutTwice) {
  LargeBlocks blocks;
  Rng rng(1, Purpose::test);
  struct Block {
    std::byte* begin;
    long size;
    int mark;
  };
  std::vector<Block> held;
  for (int i = 0; i < 2000; ++i) {
    if (held.size() < 20 || rng.below(2)) {
      const long size = LargeBlocks::kUnit * (1 + static_cast<long>(rng.below(i % 100 == 0 ? 10000 : 300)));
      const Block block{blocks.take(size), size, i};
      ASSERT_NE(block.begin, nullptr);
      std::memcpy(block.begin, &i, sizeof i), std::memcpy(block.begin + size - sizeof i, &i, sizeof i);
      held.push_back(block);
      continue;
    }
    std::swap(held[rng.below(static_cast<std::uint32_t>(held.size()))], held.back());
    const Block block = held.back();
    held.pop_back();
    EXPECT_EQ(std::memcmp(block.begin, &block.mark, sizeof(int)), 0);
    EXPECT_EQ(std::memcmp(block.begin + block.size - sizeof(int), &block.mark, sizeof(int)), 0);
    blocks.give_back(block.begin);
  }
}

TEST(LargeBlocks, WhatTheSystemDoesNotHave) {
  LargeBlocks blocks;
  EXPECT_EQ(blocks.take(1L << 50), nullptr);
  EXPECT_NE(blocks.take(LargeBlocks::kUnit), nullptr);
}

}  // namespace
}  // namespace lookhere
