// LargeBlocks: memory for large tensors, cut from few big chunks that lie on huge pages where the system has them. A
// block of its own would touch as many ordinary pages as it has, and the processor looks up every one of them.
#pragma once
#include <cstddef>
#include <map>

namespace lookhere {

class LargeBlocks {
 public:
  // Sizes are multiples of this: an ordinary page.
  static constexpr long kUnit = 4096;
  // `size` bytes, aligned to kUnit, uninitialised; null if the system has no more. Not for several threads at once.
  std::byte* take(long size);
  // Gives the block's memory back to the system; its addresses are used again.
  void give_back(std::byte* block, long size);

 private:
  void add_hole(std::byte* begin, long size);
  bool add_chunk(long size);
  std::map<std::byte*, long> holes_;  // free address ranges: begin → size; no two of them touch
};

}  // namespace lookhere
