// Holes in address space: blocks are cut from the front of the first that is large enough.
#include "tensor/large_blocks.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

namespace lookhere {
namespace {

constexpr long kHugePage = 2L << 20, kChunk = 32L << 20;

}  // namespace

void LargeBlocks::add_hole(std::byte* begin, long size) {
  auto after = holes_.lower_bound(begin);
  if (after != holes_.end() && begin + size == after->first) {
    size += after->second;
    after = holes_.erase(after);
  }
  if (after != holes_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == begin) {
      before->second += size;
      return;
    }
  }
  holes_.emplace(begin, size);
}

bool LargeBlocks::add_chunk(long size) {
  const long whole = (size + kHugePage - 1) / kHugePage * kHugePage, mapped = whole + kHugePage;
  void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  // Only what starts where a huge page does is kept.
  auto* begin = static_cast<std::byte*>(memory);
  const long skipped = (kHugePage - static_cast<long>(reinterpret_cast<std::uintptr_t>(begin) % kHugePage)) % kHugePage;
  if (skipped) munmap(begin, skipped);
  begin += skipped;
  munmap(begin + whole, mapped - skipped - whole);
  madvise(begin, whole, MADV_HUGEPAGE);  // a wish
  add_hole(begin, whole);
  return true;
}

std::byte* LargeBlocks::take(long size) {
  const auto fits = [=](const auto& hole) { return hole.second >= size; };
  auto hole = std::ranges::find_if(holes_, fits);
  if (hole == holes_.end()) {
    if (!add_chunk(std::max(size, kChunk)) && !add_chunk(size)) return nullptr;
    hole = std::ranges::find_if(holes_, fits);
  }
  const auto [begin, available] = *hole;
  holes_.erase(hole);
  if (available > size) holes_.emplace(begin + size, available - size);
  return begin;
}

void LargeBlocks::give_back(std::byte* block, long size) {
  madvise(block, size, MADV_DONTNEED);
  add_hole(block, size);
}

}  // namespace lookhere
