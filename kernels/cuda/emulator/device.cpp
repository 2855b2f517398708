// The processor plays the GPU: everything is done when its call returns.
#include "kernels/cuda/device.h"

#include <chrono>
#include <cstring>

#include "kernels/cuda/emulator/graph.h"
#include "kernels/cuda/emulator/memory.h"

namespace kernels::cuda {

const std::string& problem() {
  static const std::string none;
  return none;
}
std::string description() { return "the emulator, on the processor: slow, for tiny models"; }
int count() { return emulator::kGpus; }
void use(int gpu) {
  if (gpu < 0 || gpu >= count()) throw DeviceError("there is no GPU " + std::to_string(gpu));
  emulator::used_gpu = gpu;
}
int used() noexcept { return emulator::used_gpu; }
Cuda context() { return {}; }

std::byte* allocate(long bytes) { return emulator::take_memory(bytes); }
void release(std::byte* memory) noexcept { emulator::give_back_memory(memory); }
MemoryFigures memory() {
  const long all = emulator::memory_of_gpu;
  return {.free = all - emulator::memory_in_use(), .all = all};
}

namespace {

// On a GPU one of these is its own.
void copy(void* to, const void* from, long bytes, const void* own) {
  emulator::check_own(own);
  const emulator::OpenMemory open;
  std::memmove(to, from, bytes);
}
void refuse_in_graph(const char* what) {
  if (emulator::captured_graph) throw DeviceError(std::string("cuda: cannot ") + what + " while a graph is captured");
}

}  // namespace

void copy_to_device(void* to, const void* from, long bytes) {
  refuse_in_graph("copy to the GPU");
  copy(to, from, bytes, to);
}
void copy_to_host(void* to, const void* from, long bytes) {
  refuse_in_graph("copy from the GPU");
  copy(to, from, bytes, from);
}
void copy_to_device_beside(void* to, const void* from, long bytes) { copy(to, from, bytes, to); }
void copy_within_device(void* to, const void* from, long bytes) {
  emulator::perform([=] {
    emulator::check_own(from);
    copy(to, from, bytes, to);
  });
}
void clear(void* memory, long bytes) {
  emulator::perform([=] {
    emulator::check_own(memory);
    const emulator::OpenMemory open;
    std::memset(memory, 0, bytes);
  });
}
void synchronise() { refuse_in_graph("wait for the GPU"); }

Graph::Graph(const std::function<void()>& f) {
  refuse_in_graph("capture a graph");
  auto captured = std::make_unique<emulator::CapturedGraph>();
  emulator::captured_graph = captured.get();
  try {
    f();
  } catch (...) {
    emulator::captured_graph = nullptr;
    throw;
  }
  emulator::captured_graph = nullptr;
  graph_ = captured.release();
}
Graph::~Graph() { delete static_cast<emulator::CapturedGraph*>(graph_); }
void Graph::launch() const {
  for (const auto& work : static_cast<emulator::CapturedGraph*>(graph_)->work) work();
}

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
  if (memory && emulator::captured_graph) emulator::captured_graph->scratch.push_back(memory);
  return memory;
}
void give_back_scratch(Cuda, std::byte* memory) noexcept {
  if (!emulator::captured_graph) emulator::give_back_memory(memory);
}

}  // namespace kernels::cuda
