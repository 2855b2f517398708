// What there is of every GPU once: a stream, a handle.
#pragma once
#include <array>
#include <atomic>
#include <mutex>

#include "kernels/cuda/device.h"

namespace kernels::cuda {

template <class T>
class PerGpu {
 public:
  // That of the GPU that this thread uses; make() makes it when it is asked for first.
  template <class F>
  T& get(F make) {
    std::atomic<T*>& mine = all_[used()];
    if (T* made = mine.load(std::memory_order_acquire)) return *made;
    const std::lock_guard lock(mutex_);
    if (!mine) mine = new T(make());  // for as long as the program runs
    return *mine;
  }

 private:
  std::mutex mutex_;
  std::array<std::atomic<T*>, kMostGpus> all_{};
};

}  // namespace kernels::cuda
