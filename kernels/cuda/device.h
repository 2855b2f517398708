// The GPU as the host sees it. A program links one of three versions of it: gpu/ (CUDA), emulator/ (the processor plays
// the GPU) or none/ (there is no GPU, and this says why).
#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>

#include "kernels/context.h"

namespace kernels::cuda {

// A call to CUDA that failed: what was to be done, and CUDA's words.
class DeviceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A kernel wanted so many bytes more than the device has.
class NoMemory : public std::bad_alloc {
 public:
  explicit NoMemory(long wanted) : wanted_(wanted) {}
  long wanted() const { return wanted_; }
  const char* what() const noexcept override { return "the GPU has no memory left for a kernel"; }

 private:
  long wanted_;
};

// Why no GPU can be worked with here, as one line; empty if one can. Settled by the first call.
const std::string& problem();
// What there is, as one line: "NVIDIA H100 80GB HBM3 (sm_90), 79 GiB, driver 13.0, cuBLAS 13.1".
std::string description();
// The GPUs that the process sees (CUDA_VISIBLE_DEVICES hides others) have the numbers 0 ... count() - 1. A thread works
// with one of them, 0 until it chooses another: what follows is of that one. What has been made for one GPU, memory
// above all, is for threads that use it.
inline constexpr int kMostGpus = 64;
int count();        // 0 if there is a problem()
void use(int gpu);  // throws DeviceError where there is none of that number
int used() noexcept;
// Where everything is launched: one stream, and nothing overtakes on it. Throws DeviceError if there is a problem().
Cuda context();

// Memory of the device, aligned to 256 bytes, uninitialised; null if there is no more.
std::byte* allocate(long bytes);
void release(std::byte* memory) noexcept;
struct MemoryFigures {
  long free, all;  // bytes
};
MemoryFigures memory();
// After all that was launched before. Host memory may be used again when they return.
void copy_to_device(void* to, const void* from, long bytes);
void copy_to_host(void* to, const void* from, long bytes);
// On a second stream, beside what runs: it waits for nothing that was launched. Done when it returns.
void copy_to_device_beside(void* to, const void* from, long bytes);
void copy_within_device(void* to, const void* from, long bytes);  // they may overlap
void clear(void* memory, long bytes);
void synchronise();  // until all that was launched is done; throws DeviceError if it failed

// A moment of the stream's time: when all is done that was launched before record().
class Moment {
 public:
  Moment();
  ~Moment();
  Moment(const Moment&) = delete;
  Moment& operator=(const Moment&) = delete;
  void record() noexcept;
  void wait() const;                                // until it has come; at once if it was never recorded
  double seconds_until(const Moment& later) const;  // waits for it; both must have been recorded

 private:
  [[maybe_unused]] void* event_ = nullptr;
};

// A CUDA graph: what the device was asked to do, captured once and then launched again as a whole by one call.
class Graph {
 public:
  // Captures the launches, products, copies within the device and clearing that f() asks for, and does none of it. The
  // memory that they use must stay theirs. Throws DeviceError where f copies from or to the host, or waits.
  explicit Graph(const std::function<void()>& f);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void launch() const;

 private:
  [[maybe_unused]] void* graph_ = nullptr;
};

// Memory for the length of a call: taken and given back in the stream's order, so nobody waits for the device.
std::byte* take_scratch(Cuda cuda, long bytes);  // null if there is no more
void give_back_scratch(Cuda cuda, std::byte* memory) noexcept;
// Whoever keeps released memory of the device for later sets this, which gives it back: called before a kernel fails.
inline std::atomic<void (*)() noexcept> reclaim = nullptr;
template <class T>
class Scratch {
 public:
  // Throws NoMemory.
  Scratch(Cuda cuda, long n) : cuda_(cuda), memory_(take(cuda, n > 0 ? n * static_cast<long>(sizeof(T)) : 1)) {}
  ~Scratch() { give_back_scratch(cuda_, memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return reinterpret_cast<T*>(memory_); }

 private:
  static std::byte* take(Cuda cuda, long bytes) {
    std::byte* memory = take_scratch(cuda, bytes);
    if (const auto give_back_kept = reclaim.load(); !memory && give_back_kept)
      give_back_kept(), memory = take_scratch(cuda, bytes);
    if (!memory) throw NoMemory(bytes);
    return memory;
  }

  Cuda cuda_;
  std::byte* memory_;
};

}  // namespace kernels::cuda
