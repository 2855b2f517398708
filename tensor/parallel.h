// Whole tasks side by side, one per thread: coarser than the kernels' loops, which run on one thread inside.
#pragma once
#include <exception>
#include <mutex>

namespace lookhere {

// [begin, end) of shard i of n over `size`; the first ones are larger where it does not divide.
struct ShardRange {
  long begin, end;
  long size() const { return end - begin; }
};
inline ShardRange shard_range(long size, long i, long n) {
  const auto border = [&](long k) { return k * (size / n) + (k < size % n ? k : size % n); };
  return {border(i), border(i + 1)};
}
// What neighbouring shards, at least one, have together.
inline ShardRange shard_range(long size, const ShardRange& shards, long n) {
  return {shard_range(size, shards.begin, n).begin, shard_range(size, shards.end - 1, n).end};
}

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
