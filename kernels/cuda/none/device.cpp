// No GPU: this program was built without nvcc.
#include "kernels/cuda/device.h"

namespace kernels::cuda {

const std::string& problem() {
  static const std::string text = "this build has no CUDA back end: nvcc was not found";
  return text;
}
std::string description() { return problem(); }
int count() { return 0; }
void use(int gpu) {
  if (gpu != 0) throw DeviceError(problem());
}
int used() noexcept { return 0; }
Cuda context() { throw DeviceError(problem()); }
std::byte* allocate(long) { throw DeviceError(problem()); }
void release(std::byte*) noexcept {}
MemoryFigures memory() { throw DeviceError(problem()); }
void copy_to_device(void*, const void*, long) { throw DeviceError(problem()); }
void copy_to_host(void*, const void*, long) { throw DeviceError(problem()); }
void copy_to_device_beside(void*, const void*, long) { throw DeviceError(problem()); }
void copy_within_device(void*, const void*, long) { throw DeviceError(problem()); }
void clear(void*, long) { throw DeviceError(problem()); }
void synchronise() { throw DeviceError(problem()); }
Moment::Moment() { throw DeviceError(problem()); }
Moment::~Moment() {}
void Moment::record() noexcept {}
void Moment::wait() const {}
double Moment::seconds_until(const Moment&) const { return 0; }
Graph::Graph(const std::function<void()>&) { throw DeviceError(problem()); }
Graph::~Graph() {}
void Graph::launch() const {}
std::byte* take_scratch(Cuda, long) { throw DeviceError(problem()); }
void give_back_scratch(Cuda, std::byte*) noexcept {}

}  // namespace kernels::cuda
