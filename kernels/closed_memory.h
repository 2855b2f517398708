// ClosedMemory: memory that the whole process cannot touch, except while someone has opened it. Whoever reads or writes
// it at another time dies of SIGSEGV, as one would who took a GPU's pointer for the host's.
#pragma once
#include <cstddef>
#include <mutex>

namespace kernels {

class ClosedMemory {
 public:
  explicit ClosedMemory(long bytes);  // of addresses: memory comes with the first touch
  // `bytes` bytes, aligned to 64; null when all are taken. None are given back: whoever frees keeps them for reuse.
  std::byte* take(long bytes);
  // Counted: it is open as long as anyone, on any thread, has opened it and not yet closed it. False: the system
  // refuses.
  bool open();
  void close() noexcept;

 private:
  bool protect(int access) const;
  std::mutex mutex_;
  const long bytes_;
  void* const memory_;
  long taken_ = 0;
  int users_ = 0;
};

}  // namespace kernels
