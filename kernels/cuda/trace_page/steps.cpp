// Which events of single lanes are one act of their warp.
#include "kernels/cuda/trace_page/steps.h"

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>
#include <utility>

namespace kernels::trace_page {
namespace {

// Collects one step.
class Collector {
 public:
  explicit Collector(const Trace& trace) : trace_(trace), meetings_(trace.threads) {}

  void access(const Event& event) {
    const int warp = event.thread / kLanes, lane = event.thread % kLanes;
    Site& site = sites_[{warp, meetings_[event.thread], event.place, event.what, event.kind, event.count}];
    const std::size_t time = site.times[lane]++;
    if (time == site.acts.size()) site.acts.push_back(begin(event, false));
    Act& act = found_[site.acts[time]].act;
    act.lanes |= 1U << lane, act.elements[lane] = event.value;
  }
  // An instruction is a meeting too: it orders nothing in shared memory, yet all lanes are there at once.
  void exchange(const Event& event) {
    const int first = event.thread / kLanes * kLanes, lane = event.thread % kLanes;
    const auto mask = static_cast<std::uint32_t>(event.value);
    const std::uint32_t present = ~0U >> std::max(0, kLanes - (trace_.threads - first));
    const bool all = (mask & present) == present;
    if (lane == std::countr_zero(mask)) found_[begin(event, all)].act.lanes = mask & present;
    if (all) ++meetings_[event.thread];
  }
  void end_of_thread() { ++step_.ended; }

  Step finish(int barrier) {
    std::ranges::sort(found_, {}, [](const Found& f) { return std::tuple(f.act.warp, f.meetings, f.last, f.number); });
    for (Found& found : found_) {
      Act& act = found.act;
      if (is_access(act.kind))
        act.conflicts =
            conflicts_of(addresses_of(act), act.count * trace_.arrays[act.what].bytes, act.kind == Kind::update);
      step_.acts.push_back(act);
    }
    step_.barrier = barrier;
    found_.clear(), sites_.clear();
    return std::exchange(step_, {});
  }
  bool empty() const { return found_.empty() && step_.ended == 0; }

 private:
  // A line's accesses to one array between two meetings of the warp.
  struct Site {
    std::array<std::size_t, kLanes> times{};  // that each lane has come here
    std::vector<std::size_t> acts;            // in found_, one for each time
  };
  struct Found {
    Act act;
    long meetings;  // of the warp before it
    bool last;      // it is itself the meeting that ends what is between two of them
    std::size_t number;
  };

  std::size_t begin(const Event& event, bool last) {
    const Act act{.kind = event.kind,
                  .warp = event.thread / kLanes,
                  .place = event.place,
                  .what = event.what,
                  .count = event.count};
    found_.push_back({act, meetings_[event.thread], last, found_.size()});
    return found_.size() - 1;
  }
  std::vector<LaneAddress> addresses_of(const Act& act) const {
    const Array& array = trace_.arrays[act.what];
    std::vector<LaneAddress> addresses;
    for (int lane = 0; lane < kLanes; ++lane)
      if (act.lanes >> lane & 1) addresses.push_back({lane, array.address + act.elements[lane] * array.bytes});
    return addresses;
  }

  const Trace& trace_;
  std::vector<long> meetings_;  // exchanges of all its warp's lanes that each thread has come to
  std::map<std::tuple<int, long, int, int, Kind, std::int64_t>, Site> sites_;
  std::vector<Found> found_;
  Step step_;
};

}  // namespace

std::vector<Step> steps_of(const Trace& trace) {
  std::vector<Step> steps;
  Collector step(trace);
  for (const Event& event : trace.events) switch (event.kind) {
      case Kind::read:
      case Kind::write:
      case Kind::copy:
      case Kind::update:
        step.access(event);
        break;
      case Kind::exchange:
      case Kind::instruction:
        step.exchange(event);
        break;
      case Kind::done:
        step.end_of_thread();
        break;
      case Kind::release:
        steps.push_back(step.finish(event.place));
        break;
      case Kind::barrier:
        break;
    }
  if (steps.empty() || !step.empty()) steps.push_back(step.finish(-1));
  return steps;
}

std::vector<LineSummary> summaries_of(const std::vector<Step>& steps) {
  std::vector<LineSummary> summaries;
  std::map<std::tuple<int, int, Kind>, std::size_t> known;
  for (const Step& step : steps)
    for (const Act& act : step.acts) {
      if (!is_access(act.kind)) continue;
      const auto [at, is_new] = known.try_emplace({act.place, act.what, act.kind}, summaries.size());
      if (is_new) summaries.push_back({.place = act.place, .array = act.what, .kind = act.kind});
      LineSummary& line = summaries[at->second];
      line.accesses += std::popcount(act.lanes), ++line.warp_accesses;
      line.worst = std::max(line.worst, act.conflicts.degree), line.sum_of_degrees += act.conflicts.degree;
    }
  return summaries;
}

}  // namespace kernels::trace_page
