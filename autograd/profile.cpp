// The table of times, shared by all threads: operations are few and long enough for a lock.
#include "autograd/profile.h"

#include <omp.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "tensor/error.h"

namespace lookhere {
namespace {

struct Table {
  std::mutex mutex;
  std::map<std::string, Profile::Entry> entries;
  std::vector<std::shared_ptr<profile::Interval>> intervals;  // on a GPU, those that have not been counted
  bool on_gpu = false;
};
Table& table() {
  static Table& only = *new Table;  // never destroyed: where OpenMP's library ends the process, threads are at work
  return only;
}
thread_local profile::Clock::time_point forward_began;
thread_local std::shared_ptr<profile::Interval> forward_interval;

}  // namespace

Profile::Profile(Device device) {
  check(!profile::on, "profile: there is one already");
  clear();
  table().on_gpu = device == Device::cuda;
  profile::on = true;
  profile::begin_forward();
}
Profile::~Profile() {
  profile::on = false;
  clear();
}

void Profile::clear() {
  const std::lock_guard lock(table().mutex);
  table().entries.clear(), table().intervals.clear();
}

std::vector<Profile::Entry> Profile::entries() const {
  for (const auto& interval : std::exchange(table().intervals, {}))
    if (interval->entry)
      profile::count(*interval->entry, interval->phase, interval->begin.seconds_until(interval->end));
  const std::lock_guard lock(table().mutex);
  std::vector<Entry> all;
  for (const auto& [op, entry] : table().entries) all.push_back(entry);
  std::ranges::stable_sort(all, std::ranges::greater(), [](const Entry& e) { return e.forward + e.backward; });
  return all;
}

Profile::Entry& profile::entry_of(const char* op) {
  const std::lock_guard lock(table().mutex);
  Profile::Entry& entry = table().entries[op];
  if (entry.op.empty()) entry.op = op;
  return entry;
}

void profile::count(Profile::Entry& entry, Phase phase, double seconds) noexcept {
  const double share = seconds / omp_get_num_threads();  // of the team that this thread belongs to; 1 outside
  const std::lock_guard lock(table().mutex);
  entry.calls += phase == Phase::forward || entry.forward == 0;
  (phase == Phase::forward ? entry.forward : entry.backward) += share;
}

std::shared_ptr<profile::Interval> profile::begin_interval() {
  const std::lock_guard lock(table().mutex);
  if (!table().on_gpu) return nullptr;
  table().intervals.push_back(std::make_shared<Interval>());
  table().intervals.back()->begin.record();
  return table().intervals.back();
}

void profile::begin_forward() {
  forward_began = Clock::now();
  if (on.load(std::memory_order_relaxed)) forward_interval = begin_interval();
}
void profile::end_forward(const char* op) {
  if (!on.load(std::memory_order_relaxed)) return;
  if (!forward_interval)
    count(entry_of(op), Phase::forward, since(forward_began));
  else
    forward_interval->end.record(), forward_interval->entry = &entry_of(op);
  begin_forward();
}

}  // namespace lookhere
