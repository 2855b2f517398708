// What each warp did between two barriers: single threads' events, put together to accesses and exchanges of warps.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "kernels/cuda/trace_page/conflicts.h"
#include "kernels/cuda/trace_page/read.h"

namespace kernels::trace_page {

// An access of a warp: its lanes at one line, in one array, between the same two points where all of the warp meet; a
// line that lanes come to several times is an access for each time. Or an exchange or an instruction of its lanes.
struct Act {
  Kind kind;
  int warp, place, what;
  std::int64_t count = 1;  // elements of each lane
  std::uint32_t lanes = 0;
  std::array<std::int64_t, kLanes> elements{};  // the first of each lane that takes part
  Conflicts conflicts{};                        // of an access
};

// From one barrier to the next.
struct Step {
  std::vector<Act> acts;  // by warp, each in the order in which the warp came to them
  int barrier = -1;       // the place of the barrier at its end, -1 if there is none
  int ended = 0;          // threads that ended in it
};

std::vector<Step> steps_of(const Trace& trace);

// Of all accesses by one line to one array, of one kind.
struct LineSummary {
  int place, array;
  Kind kind;
  long accesses = 0, warp_accesses = 0;
  int worst = 0;  // degree of conflict
  long sum_of_degrees = 0;
  double mean() const { return static_cast<double>(sum_of_degrees) / static_cast<double>(warp_accesses); }
};
// In the order in which the lines first come.
std::vector<LineSummary> summaries_of(const std::vector<Step>& steps);

}  // namespace kernels::trace_page
