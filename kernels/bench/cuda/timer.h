// When the device had done what: by CUDA's events, or, where the processor plays the device, by its clock.
#pragma once
#include <vector>

#ifdef __CUDACC__
#include "kernels/cuda/gpu/error.h"
#else
#include <chrono>

#include "kernels/context.h"
#endif

namespace kernels::gpu_bench {

#ifdef __CUDACC__

class Timer {
 public:
  Timer() = default;
  ~Timer() {
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Now, as the device sees it: after what has been launched and before what will be.
  void mark(Cuda cuda) {
    cudaEvent_t event = nullptr;
    cuda::check(cudaEventCreate(&event), "make an event");
    events_.push_back(event);
    cuda::check(cudaEventRecord(event, static_cast<cudaStream_t>(cuda.stream)), "record an event");
  }
  // From each mark to the next. Waits for the last.
  std::vector<double> seconds() const {
    cuda::check(cudaEventSynchronize(events_.back()), "wait for an event");
    std::vector<double> all;
    for (std::size_t i = 1; i < events_.size(); ++i) {
      float milliseconds = 0;
      cuda::check(cudaEventElapsedTime(&milliseconds, events_[i - 1], events_[i]), "read an event");
      all.push_back(1e-3 * milliseconds);
    }
    return all;
  }

 private:
  std::vector<cudaEvent_t> events_;
};

#else

class Timer {
 public:
  void mark(Cuda) { times_.push_back(std::chrono::steady_clock::now()); }
  std::vector<double> seconds() const {
    std::vector<double> all;
    for (std::size_t i = 1; i < times_.size(); ++i)
      all.push_back(std::chrono::duration<double>(times_[i] - times_[i - 1]).count());
    return all;
  }

 private:
  std::vector<std::chrono::steady_clock::time_point> times_;
};

#endif

}  // namespace kernels::gpu_bench
