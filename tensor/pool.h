// Pool: the memory of a device, kept and handed out again.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>

#include "tensor/device.h"

namespace lookhere {

struct PoolStats {
  long in_use = 0;       // bytes held by live tensors
  long peak = 0;         // highest in_use so far
  long reserved = 0;     // bytes taken from the system, in use or kept for reuse
  long allocations = 0;  // how often no kept block would do
};

// One pooling allocator per device, and per GPU: freed blocks are kept by size and handed out again, so that a training
// step after the first asks the system for nothing. Safe to use from several threads.
class Pool {
  struct State;

 public:
  static Pool& of(Device device);  // of a GPU: that which this thread uses
  // At least `bytes` bytes, 64-byte aligned, uninitialised. The block returns to the pool with its last owner.
  // Throws OutOfMemory past the limit or when the system has no more. Giving blocks back allocates nothing.
  std::shared_ptr<std::byte> allocate(long bytes);
  PoolStats stats() const;
  void set_limit(long bytes);  // 0: none
  void reset_peak();
  void release_kept();  // gives the system what no tensor holds, but for memory of Device::guarded

  // Blocks that are nobody else's as long as it lives, in use or not: for what works in them later on as well, such as
  // a captured CUDA graph.
  class Own {
   public:
    explicit Own(Device device);
    ~Own();
    Own(const Own&) = delete;
    Own& operator=(const Own&) = delete;
    // What f() takes of the device's memory on this thread is taken from these blocks, which grow as needed.
    void use(const std::function<void()>& f) const;

   private:
    std::shared_ptr<State> state_;
    int owner_;
  };

 private:
  explicit Pool(Device device);
  std::shared_ptr<State> state_;  // shared with every block: a tensor may outlive the pool at exit
};

}  // namespace lookhere
