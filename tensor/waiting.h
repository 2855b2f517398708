// Waiting: how long one has waited for another, whose only sign of life is progress.
#pragma once
#include <algorithm>

namespace lookhere {

// Times are seconds of any clock.
class Waiting {
 public:
  Waiting(double patience, double now) : patience_(patience), last_(now) {}
  // Asked again and again: has nothing come for longer than `patience`? From one question to the next at most a second
  // counts: a process that was stopped meanwhile, or a laptop that slept, has not waited.
  bool too_long(double now, bool progress) {
    waited_ = progress ? 0 : waited_ + std::min(now - last_, 1.0);
    last_ = now;
    return waited_ >= patience_;
  }

 private:
  double patience_, last_, waited_ = 0;
};

}  // namespace lookhere
