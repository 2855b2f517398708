// Fiber: a function with a stack of its own, which can stop in the middle and go on later on the same OS thread.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>

namespace kernels::emulator {

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();  // one that has not ended is abandoned where it stands: nothing on its stack is destroyed
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs the body until it calls stop() or ends.
  void resume();
  bool ended() const { return ended_; }
  // Within the body: back to whoever called resume().
  void stop();

 private:
  static void enter(Fiber* self);
  void switch_to(void** save, void* to, void** fake_stack, const void* bottom, std::size_t size);

  std::function<void()> body_;
  std::byte* stack_;
  bool ended_ = false;
  void* inside_ = nullptr;   // where the body stands: its stack pointer
  void* outside_ = nullptr;  // and the caller of resume()
  // What AddressSanitizer is told at each switch.
  void *fake_inside_ = nullptr, *fake_outside_ = nullptr;
  const void* caller_bottom_ = nullptr;
  std::size_t caller_size_ = 0;
};

}  // namespace kernels::emulator
