// Ranges of address space: blocks are cut from the front of the first free one that is large enough.
#include "tensor/large_blocks.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

namespace lookhere {
namespace {

constexpr long kHugePage = 2L << 20, kChunk = 32L << 20;

}  // namespace

// Grows together with its free neighbours.
void LargeBlocks::set_free(Ranges::iterator range) {
  range->second.free = true;
  const auto touch = [](Ranges::iterator a, Ranges::iterator b) {
    return a->second.free && b->second.free && a->first + a->second.size == b->first;
  };
  if (const auto after = std::next(range); after != ranges_.end() && touch(range, after)) {
    range->second.size += after->second.size;
    ranges_.erase(after);
  }
  if (range == ranges_.begin()) return;
  if (const auto before = std::prev(range); touch(before, range)) {
    before->second.size += range->second.size;
    ranges_.erase(range);
  }
}

bool LargeBlocks::add_chunk(long size) {
  const long whole = (size + kHugePage - 1) / kHugePage * kHugePage, mapped = whole + kHugePage;
  Ranges fresh;  // its node before the memory: nothing is mapped in vain
  fresh.emplace(nullptr, Range{.size = whole, .free = true});
  void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  // Only what starts where a huge page does is kept.
  auto* begin = static_cast<std::byte*>(memory);
  const long skipped = (kHugePage - static_cast<long>(reinterpret_cast<std::uintptr_t>(begin) % kHugePage)) % kHugePage;
  if (skipped) munmap(begin, skipped);
  begin += skipped;
  munmap(begin + whole, mapped - skipped - whole);
  madvise(begin, whole, MADV_HUGEPAGE);  // a wish
  auto node = fresh.extract(fresh.begin());
  node.key() = begin;
  set_free(ranges_.insert(std::move(node)).position);
  return true;
}

LargeBlocks::Ranges::iterator LargeBlocks::first_fit(long size) {
  return std::ranges::find_if(ranges_, [=](const auto& r) { return r.second.free && r.second.size >= size; });
}

std::byte* LargeBlocks::take(long size) {
  auto range = first_fit(size);
  if (range == ranges_.end()) {
    if (!add_chunk(std::max(size, kChunk)) && !add_chunk(size)) return nullptr;
    range = first_fit(size);
  }
  auto& [begin, found] = *range;
  if (found.size > size) ranges_.emplace(begin + size, Range{.size = found.size - size, .free = true});
  found = {.size = size, .free = false};
  return begin;
}

void LargeBlocks::give_back(std::byte* block) noexcept {
  const auto range = ranges_.find(block);
  madvise(block, range->second.size, MADV_DONTNEED);
  set_free(range);
}

}  // namespace lookhere
