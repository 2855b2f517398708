// Profile: how long each kind of operation takes, forward and backward.
//
// On each thread, the time from one recorded operation to the next belongs to the later one, so nothing is counted
// twice and nothing is left out. Where threads work side by side their times are averaged: the sum over all operations
// can be compared with the clock on the wall, and what is missing is waiting. On a GPU, which works while the host is
// far ahead, times are those between moments of its stream.
#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/device.h"
#include "tensor/device.h"

namespace lookhere {

class Profile {
 public:
  // While one lives, operations are timed. There can be one at a time.
  explicit Profile(Device device = Device::cpu);  // where the operations run
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  struct Entry {
    std::string op;
    long calls = 0;                    // forward, or what has no forward
    double forward = 0, backward = 0;  // seconds
  };
  std::vector<Entry> entries() const;  // the slowest first; waits for the device
  void clear();                        // not while an operation is being timed
};

// What the engine calls; nearly free while no Profile lives.
namespace profile {

inline std::atomic<bool> on = false;
enum class Phase { forward, backward };
// The operation's line in the table, made before its time is taken: a Span ends in a destructor, which must not need
// memory.
Profile::Entry& entry_of(const char* op);
void count(Profile::Entry& entry, Phase phase, double seconds) noexcept;

// A piece of work on a GPU: its times are read when the device has come to its end.
struct Interval {
  Profile::Entry* entry = nullptr;
  Phase phase = Phase::forward;
  kernels::cuda::Moment begin, end;
};
std::shared_ptr<Interval> begin_interval();  // begins now; null unless operations are timed and run on a GPU

using Clock = std::chrono::steady_clock;
inline double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Forward work begins here on this thread: what came before belongs to no operation.
void begin_forward();
void end_forward(const char* op);  // ... and has led to the result of this one; the next begins

// Times a scope.
class Span {
 public:
  Span(const char* op, Phase phase)
      : entry_(on.load(std::memory_order_relaxed) ? &entry_of(op) : nullptr), phase_(phase) {
    if (!entry_) return;
    begin_ = Clock::now(), interval_ = begin_interval();
    if (interval_) interval_->entry = entry_, interval_->phase = phase_;
  }
  ~Span() {
    if (interval_)
      interval_->end.record();
    else if (entry_)
      count(*entry_, phase_, since(begin_));
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  Profile::Entry* entry_;
  std::shared_ptr<Interval> interval_;
  Phase phase_;
  Clock::time_point begin_;
};

}  // namespace profile
}  // namespace lookhere
