// Ranges of address space: blocks are cut from the front of the first free one that is large enough.
#include "tensor/large_blocks.h"

#include <algorithm>

#include "tensor/system/memory.h"

namespace lookhere {
namespace {

constexpr long kChunk = 32L << 20;

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
  const long whole = (size + kHugePage - 1) / kHugePage * kHugePage;
  Ranges fresh;  // its node before the memory: nothing is taken in vain
  fresh.emplace(nullptr, Range{.size = whole, .free = true});
  std::byte* begin = take_pages(whole);
  if (!begin) return false;
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
  empty_pages(block, range->second.size);
  set_free(range);
}

}  // namespace lookhere
