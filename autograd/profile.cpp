// The table of times, shared by all threads: operations are few and long enough for a lock.
#include "autograd/profile.h"

#include <omp.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "tensor/error.h"

namespace lookhere {
namespace {

struct Table {
  std::mutex mutex;
  std::map<std::string, Profile::Entry> entries;
};
Table& table() {
  static Table& only = *new Table;  // never destroyed: where OpenMP's library ends the process, threads are at work
  return only;
}
thread_local profile::Clock::time_point forward_began;

}  // namespace

Profile::Profile() {
  check(!profile::on, "profile: there is one already");
  clear();
  profile::begin_forward();
  profile::on = true;
}
Profile::~Profile() { profile::on = false; }

void Profile::clear() {
  const std::lock_guard lock(table().mutex);
  table().entries.clear();
}

std::vector<Profile::Entry> Profile::entries() const {
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

void profile::begin_forward() { forward_began = Clock::now(); }
void profile::end_forward(const char* op) {
  if (!on.load(std::memory_order_relaxed)) return;
  count(entry_of(op), Phase::forward, since(forward_began));
  begin_forward();
}

}  // namespace lookhere
