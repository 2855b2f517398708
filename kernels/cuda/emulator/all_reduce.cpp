// The sum over emulated GPUs, whose ranks are threads of one process: rank by rank.
#include "kernels/cuda/all_reduce.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/cuda/emulator/memory.h"

namespace kernels::cuda {
namespace {

struct Group {
  explicit Group(int ranks) : values(ranks), meeting(ranks) {}
  std::vector<const float*> values;  // by rank
  std::barrier<> meeting;
};
struct Member {
  std::shared_ptr<Group> group;
  int rank;
};

// The group of that name, which the first to come makes and the last to go ends.
std::shared_ptr<Group> group_of(const AllReduce::Id& id, int ranks) {
  static std::mutex mutex;
  static std::map<AllReduce::Id, std::weak_ptr<Group>> groups;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Group> group = groups[id].lock();
  if (!group) groups[id] = group = std::make_shared<Group>(ranks);
  return group;
}

}  // namespace

AllReduce::Id AllReduce::make_id() {
  static std::atomic<long> made = 0;
  const long parts[]{++made, getpid()};
  Id id{};
  static_assert(sizeof parts <= sizeof id);
  std::memcpy(id.data(), parts, sizeof parts);
  return id;
}

AllReduce::AllReduce(const Id& id, int rank, int ranks) {
  context();  // a device is there
  long parts[2];
  std::memcpy(parts, id.data(), sizeof parts);
  if (parts[1] != getpid())
    throw DeviceError("the emulator adds up the GPUs of one process: wanted --devices or --deterministic-reduce");
  const std::shared_ptr<Group> group = group_of(id, ranks);
  group->meeting.arrive_and_wait();
  group_ = new Member{group, rank};
}
AllReduce::~AllReduce() { delete static_cast<Member*>(group_); }

void AllReduce::sum(float* x, long n) const {
  emulator::check_own(x);
  const auto& [group, rank] = *static_cast<const Member*>(group_);
  const emulator::OpenMemory open;
  group->values[rank] = x;
  group->meeting.arrive_and_wait();
  std::vector<float> sum(group->values[0], group->values[0] + n);
  for (std::size_t r = 1; r < group->values.size(); ++r)
    std::transform(sum.begin(), sum.end(), group->values[r], sum.begin(), std::plus());
  group->meeting.arrive_and_wait();  // nobody's values are wanted any more
  std::ranges::copy(sum, x);
}

}  // namespace kernels::cuda
