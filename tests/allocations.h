// Counts allocations of the standard library's: all of `new` in the tests goes through the counter in allocations.cpp.
#pragma once
#include <functional>

namespace lookhere {

// How often this thread calls `new` in f(). Always 0 under sanitizers, which have a `new` of their own.
long allocations_during(const std::function<void()>& f);

}  // namespace lookhere
