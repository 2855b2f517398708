// Profile: how long each kind of operation takes, forward and backward.
//
// On each thread, the time from one recorded operation to the next belongs to the later one, so nothing is counted
// twice and nothing is left out. Where threads work side by side their times are averaged: the sum over all operations
// can be compared with the clock on the wall, and what is missing is waiting.
#pragma once
#include <atomic>
#include <chrono>
#include <string>
#include <vector>

namespace lookhere {

class Profile {
 public:
  // While one lives, operations are timed. There can be one at a time.
  Profile();
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  struct Entry {
    std::string op;
    long calls = 0;                    // forward, or what has no forward
    double forward = 0, backward = 0;  // seconds
  };
  std::vector<Entry> entries() const;  // the slowest first
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
    if (entry_) begin_ = Clock::now();
  }
  ~Span() {
    if (entry_) count(*entry_, phase_, since(begin_));
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  Profile::Entry* entry_;
  Phase phase_;
  Clock::time_point begin_;
};

}  // namespace profile
}  // namespace lookhere
