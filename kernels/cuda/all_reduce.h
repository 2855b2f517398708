// The sum over the GPUs of several ranks, by NVIDIA's NCCL: what is added first is NCCL's choice, so that the last
// bits depend on the number of GPUs (nn/reducer.h has the sum whose bits do not). The emulator adds rank by rank.
#pragma once
#include <array>
#include <cstddef>

namespace kernels::cuda {

class AllReduce {
 public:
  using Id = std::array<std::byte, 128>;  // of a group
  static Id make_id();                    // by one of the ranks, which then tells the others
  // Each rank with a GPU of its own; returns when all are there. Throws DeviceError where NCCL is missing or fails.
  AllReduce(const Id& id, int rank, int ranks);
  ~AllReduce();
  AllReduce(const AllReduce&) = delete;
  AllReduce& operator=(const AllReduce&) = delete;
  // x[0 ... n - 1] of device memory becomes the sum of all ranks' x, after all that was launched before.
  void sum(float* x, long n) const;

 private:
  [[maybe_unused]] void* group_ = nullptr;
};

}  // namespace kernels::cuda
