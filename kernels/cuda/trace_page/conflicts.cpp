// Words, by bank and by the group of lanes that is served together.
#include "kernels/cuda/trace_page/conflicts.h"

#include <algorithm>
#include <bit>
#include <map>

namespace kernels::trace_page {

int lanes_at_a_time(std::int64_t bytes) {
  int lanes = kLanes;
  while (lanes > 1 && lanes * bytes > std::int64_t{kBanks} * kWordBytes) lanes /= 2;
  return lanes;
}

Conflicts conflicts_of(std::span<const LaneAddress> lanes, std::int64_t bytes, bool atomic) {
  using LanesByWord = std::map<std::int64_t, std::uint32_t>;
  std::map<std::int64_t, LanesByWord> groups;  // by group of lanes and bank
  for (const LaneAddress& lane : lanes) {
    const std::int64_t group = lane.lane / lanes_at_a_time(bytes), last = (lane.address + bytes - 1) / kWordBytes;
    for (std::int64_t word = lane.address / kWordBytes; word <= last; ++word)
      groups[group * kBanks + word % kBanks][word] |= 1U << lane.lane;
  }
  Conflicts found;
  for (const auto& [bank, words] : groups) {
    int goes = 0;
    std::uint32_t wanted_by_any = 0;
    for (const auto& [word, wanted_by] : words) {
      goes += atomic ? std::popcount(wanted_by) : 1;
      wanted_by_any |= wanted_by;
      found.broadcast |= !atomic && std::popcount(wanted_by) > 1;
    }
    found.degree = std::max(found.degree, goes);
    if (goes > 1) found.lanes |= wanted_by_any;
  }
  return found;
}

}  // namespace kernels::trace_page
