// Trap: where libjpeg and libpng go when they meet an error. Both want a function that does not return, and are written
// in C: an exception must not pass through them.
#pragma once
#include <array>
#include <csetjmp>
#include <cstdio>
#include <string>

#include "tensor/error.h"
#include "tensor/out_of_memory.h"

namespace lookhere {

class Trap {
 public:
  // kind: "JPEG"; both for messages, and to outlive the trap.
  Trap(const std::string& name, const char* kind) : name_(name), kind_(kind) {}

  // Calls `library`, which calls the library and nothing that has a destructor. Throws Error if the library fails.
  template <class F>
  void call(const F& library) {
    if (!returns(library)) throw_error();
  }
  // For the library: a warning. After too many, or one that says that the picture is not whole, it must fail.
  [[nodiscard]] bool is_one_too_many() { return ++warnings_ > kMaxWarnings; }
  // For the library: its last word. Returns from the call above.
  [[noreturn]] void fail(const char* message) {
    std::snprintf(message_.data(), message_.size(), "%s", message);
    std::longjmp(back_, 1);
  }
  void lacks_memory() { out_of_memory_ = true; }

 private:
  static constexpr int kMaxWarnings = 16;

  // By itself, so that no variable of a caller changes between setjmp and longjmp.
  template <class F>
  [[gnu::noinline]] bool returns(const F& library) {
    if (setjmp(back_) != 0) return false;  // NOLINT(cert-err52-cpp): the way of both libraries
    library();
    return true;
  }
  [[noreturn]] void throw_error() const {
    if (out_of_memory_) throw OutOfMemory(0, "decode", name_.c_str());
    throw Error(concat(name_, ": damaged ", kind_, ": ", message_.data()));
  }

  const std::string& name_;
  const char* kind_;
  std::jmp_buf back_{};
  std::array<char, 200> message_{};
  int warnings_ = 0;
  bool out_of_memory_ = false;
};

}  // namespace lookhere
