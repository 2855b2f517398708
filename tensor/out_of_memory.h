// OutOfMemory: what was wanted, in use and allowed when memory ran out, in words that need no memory themselves.
#pragma once
#include <new>

namespace lookhere {

// "out of memory: 512 MiB wanted, 300 MiB in use, 400 MiB allowed (ulimit -v)". Whoever catches std::bad_alloc has the
// standard library's failures too.
class OutOfMemory : public std::bad_alloc {
 public:
  // The system refused `wanted` bytes (0: nobody knows how many), `verb` and `object` saying for what: "open", "x.npy".
  // In use and allowed is what the process has.
  explicit OutOfMemory(long wanted, const char* verb = "", const char* object = "") noexcept;
  // A limit of the program's own did, 0: none was set.
  OutOfMemory(long wanted, long in_use, long allowed) noexcept;
  // A GPU did: "out of memory: 2048 MiB wanted, 80000 MiB in use, 81559 MiB allowed (the GPU's memory)".
  static OutOfMemory on_gpu(long wanted);
  // In words: "out of memory: cannot start a thread, 300 MiB in use, ...".
  static OutOfMemory because(const char* reason) noexcept;

  const char* what() const noexcept override { return text_; }
  // Appends advice: "; a smaller --batch-size needs less".
  void advise(const char* advice) noexcept;

 private:
  OutOfMemory() noexcept = default;
  char text_[400] = {};
};

}  // namespace lookhere
