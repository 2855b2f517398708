// A switch saves what a function must keep for its caller and changes stacks: a few instructions on x86-64, elsewhere
// the C library's contexts.
#include "kernels/cuda/emulator/fiber.h"

#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

namespace kernels::emulator {
namespace {

constexpr std::size_t kStackBytes = 128 << 10, kGuardBytes = 4 << 10;  // the guard below ends a stack that overflows

// Stacks of fibers that have gone, for the next ones.
struct Stacks {
  std::vector<std::byte*> free;
  ~Stacks() {
    for (std::byte* stack : free) munmap(stack, kStackBytes);
  }
  std::byte* take() {
    if (!free.empty()) {
      std::byte* stack = free.back();
      free.pop_back();
      return stack;
    }
    void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) throw std::bad_alloc();
    mprotect(stack, kGuardBytes, PROT_NONE);
    return static_cast<std::byte*>(stack);
  }
  void give_back(std::byte* stack) {
#ifdef FIBER_ASAN
    __asan_unpoison_memory_region(stack, kStackBytes);  // an abandoned fiber leaves the marks of its variables
#endif
    free.push_back(stack);
  }
};
thread_local Stacks stacks;

}  // namespace

#if defined(__x86_64__)
// Pushes the registers that a function keeps, changes stacks, pops those of the other.
extern "C" void lookhere_switch_stack(void** save, void* to);
asm(R"(
.text
.globl lookhere_switch_stack
.type lookhere_switch_stack, @function
lookhere_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size lookhere_switch_stack, .-lookhere_switch_stack
.globl lookhere_enter_fiber
.type lookhere_enter_fiber, @function
lookhere_enter_fiber:
  movq %r12, %rdi
  call *%r13
.size lookhere_enter_fiber, .-lookhere_enter_fiber
.section .note.GNU-stack, "", @progbits
.text
)");
extern "C" void lookhere_enter_fiber();

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(stacks.take()) {
  // As if it had switched away at its beginning, with `enter` and `this` in registers.
  auto* top = reinterpret_cast<void**>(stack_ + kStackBytes);
  *--top = nullptr;
  *--top = nullptr;  // the stack must be a multiple of 16 where a function is called
  *--top = reinterpret_cast<void*>(&lookhere_enter_fiber);
  *--top = nullptr;                                 // rbp
  *--top = nullptr;                                 // rbx
  *--top = this;                                    // r12
  *--top = reinterpret_cast<void*>(&Fiber::enter);  // r13
  *--top = nullptr;                                 // r14
  *--top = nullptr;                                 // r15
  inside_ = top;
}
Fiber::~Fiber() { stacks.give_back(stack_); }
#else
namespace {
void enter_context(unsigned low, unsigned high, unsigned enter_low, unsigned enter_high) {
  const auto joined = [](unsigned a, unsigned b) { return std::uintptr_t{b} << 32 | a; };
  reinterpret_cast<void (*)(void*)>(joined(enter_low, enter_high))(reinterpret_cast<void*>(joined(low, high)));
}
void lookhere_switch_stack(void** save, void* to) {
  swapcontext(static_cast<ucontext_t*>(*save), static_cast<ucontext_t*>(to));
}
}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(stacks.take()) {
  auto* context = new ucontext_t;
  getcontext(context);
  context->uc_stack = {.ss_sp = stack_, .ss_flags = 0, .ss_size = kStackBytes};
  const auto self = reinterpret_cast<std::uintptr_t>(this), enter_at = reinterpret_cast<std::uintptr_t>(&Fiber::enter);
  makecontext(context, reinterpret_cast<void (*)()>(&enter_context), 4, static_cast<unsigned>(self),
              static_cast<unsigned>(self >> 32), static_cast<unsigned>(enter_at),
              static_cast<unsigned>(enter_at >> 32));
  inside_ = context, outside_ = new ucontext_t;
}
Fiber::~Fiber() {
  delete static_cast<ucontext_t*>(inside_);
  delete static_cast<ucontext_t*>(outside_);
  stacks.give_back(stack_);
}
#endif

void Fiber::switch_to(void** save, void* to, void** fake_stack, const void* bottom, std::size_t size) {
#ifdef FIBER_ASAN
  __sanitizer_start_switch_fiber(ended_ ? nullptr : fake_stack, bottom, size);
#endif
  lookhere_switch_stack(save, to);
#ifdef FIBER_ASAN
  const void* from = nullptr;
  std::size_t from_size = 0;
  __sanitizer_finish_switch_fiber(*fake_stack, &from, &from_size);
  if (fake_stack == &fake_inside_) caller_bottom_ = from, caller_size_ = from_size;
#endif
  static_cast<void>(fake_stack), static_cast<void>(bottom), static_cast<void>(size);
}

void Fiber::enter(Fiber* self) {
#ifdef FIBER_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &self->caller_bottom_, &self->caller_size_);
#endif
  self->body_();
  self->ended_ = true;
  self->stop();
  std::abort();  // nobody resumes what has ended
}

void Fiber::resume() { switch_to(&outside_, inside_, &fake_outside_, stack_, kStackBytes); }
void Fiber::stop() { switch_to(&inside_, outside_, &fake_inside_, caller_bottom_, caller_size_); }

}  // namespace kernels::emulator
