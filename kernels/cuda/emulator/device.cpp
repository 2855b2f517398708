// The processor plays the GPU: everything is done when its call returns.
#include "kernels/cuda/device.h"

#include <chrono>
#include <cstring>
#include <new>

#include "kernels/cuda/emulator/memory.h"

namespace kernels::cuda {

const std::string& problem() {
  static const std::string none;
  return none;
}
std::string description() { return "the emulator, on the processor: slow, for tiny models"; }
Cuda context() { return {}; }

std::byte* allocate(long bytes) { return emulator::take_memory(bytes); }
void release(std::byte* memory) noexcept { emulator::give_back_memory(memory); }

void copy_to_device(void* to, const void* from, long bytes) { copy_within_device(to, from, bytes); }
void copy_to_host(void* to, const void* from, long bytes) { copy_within_device(to, from, bytes); }
void copy_to_device_beside(void* to, const void* from, long bytes) { copy_within_device(to, from, bytes); }
void copy_within_device(void* to, const void* from, long bytes) {
  const emulator::OpenMemory open;
  std::memmove(to, from, bytes);
}
void clear(void* memory, long bytes) {
  const emulator::OpenMemory open;
  std::memset(memory, 0, bytes);
}
void synchronise() {}

// Everything is done at once, so the host's clock is the stream's.
using Clock = std::chrono::steady_clock;
Moment::Moment() : event_(new Clock::time_point) {}
Moment::~Moment() { delete static_cast<Clock::time_point*>(event_); }
void Moment::record() noexcept { *static_cast<Clock::time_point*>(event_) = Clock::now(); }
void Moment::wait() const {}
double Moment::seconds_until(const Moment& later) const {
  const auto time = [](const Moment& m) { return *static_cast<Clock::time_point*>(m.event_); };
  return std::chrono::duration<double>(time(later) - time(*this)).count();
}

std::byte* take_scratch(Cuda, long bytes) {
  std::byte* memory = emulator::take_memory(bytes);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void give_back_scratch(Cuda, std::byte* memory) noexcept { emulator::give_back_memory(memory); }

}  // namespace kernels::cuda
