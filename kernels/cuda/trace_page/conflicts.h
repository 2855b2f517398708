// Bank conflicts. Shared memory is 32 banks of 4-byte words: word w stands in bank w % 32. In one go a bank gives one
// word, to as many lanes as want it; lanes that want different words of one bank wait for each other. Lanes with
// atomics do so for the same word too: each needs what the one before it has left.
#pragma once
#include <cstdint>
#include <span>

namespace kernels::trace_page {

inline constexpr int kLanes = 32, kBanks = 32, kWordBytes = 4;

struct LaneAddress {
  int lane;
  std::int64_t address;  // in bytes
};

struct Conflicts {
  int degree = 0;           // the most goes that one bank needs at a time: 1 is none, 0 nobody wants anything
  std::uint32_t lanes = 0;  // that wait for others or let others wait
  bool broadcast = false;   // some lanes want the same word
  bool operator==(const Conflicts&) const = default;
};

// How many lanes are served together: all with 4 bytes each, half a warp with 8, a quarter with 16.
int lanes_at_a_time(std::int64_t bytes);
// Of one access of a warp, in which each of these lanes wants `bytes` bytes from its address on.
Conflicts conflicts_of(std::span<const LaneAddress> lanes, std::int64_t bytes, bool atomic = false);

}  // namespace kernels::trace_page
