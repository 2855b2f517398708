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
  // Throws std::bad_alloc, with nothing changed, if there is no memory to note it down.
  std::byte* take(long size);
  // Gives the memory of a block that was taken back to the system; its addresses are used again. Destructors come here,
  // so it allocates nothing.
  void give_back(std::byte* block) noexcept;

 private:
  struct Range {
    long size;
    bool free;
  };
  // Every address is in one range, and no two free ones touch. A block keeps its node when it becomes free: that is why
  // giving back needs no memory.
  using Ranges = std::map<std::byte*, Range>;
  bool add_chunk(long size);
  void set_free(Ranges::iterator range);
  Ranges::iterator first_fit(long size);
  Ranges ranges_;  // by their first byte
};

}  // namespace lookhere
