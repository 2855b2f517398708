// Whole tasks side by side, one per thread: coarser than the kernels' loops, which run on one thread inside.
#pragma once
#include <exception>
#include <mutex>

namespace lookhere {

// f(i) for i in [0, n), at the same time where there are threads. What f throws is thrown here (the lowest i's).
template <class F>
void parallel_tasks(long n, F f) {
  std::mutex mutex;
  std::exception_ptr error;
  long error_index = n;
#pragma omp parallel for schedule(static, 1) if (n > 1)
  for (long i = 0; i < n; ++i) {
    try {
      f(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (i < error_index) error = std::current_exception(), error_index = i;
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace lookhere
