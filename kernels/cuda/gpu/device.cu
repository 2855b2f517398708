// CUDA's own GPUs.
#include "kernels/cuda/device.h"

#include <algorithm>

#include "kernels/cuda/gpu/cublas.h"
#include "kernels/cuda/gpu/error.h"
#include "kernels/cuda/gpu/per_gpu.h"

namespace kernels::cuda {
namespace {

std::string version_text(int version) {  // CUDA's: 13000 is 13.0
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// What CUDA says to the question whether there is a GPU. It is the first that this program asks of it: a machine
// without a driver comes as far as this.
std::string found_problem() {
  int count = 0, driver = 0, runtime = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  cudaDriverGetVersion(&driver), cudaRuntimeGetVersion(&runtime);
  if (driver == 0) return "no NVIDIA driver is installed here";
  if (error == cudaErrorInsufficientDriver)
    return "the NVIDIA driver is for CUDA " + version_text(driver) + ", wanted " + version_text(runtime) + " or later";
  if (error != cudaSuccess) return std::string("CUDA finds no GPU: ") + cudaGetErrorString(error);
  if (count == 0) return "CUDA finds no GPU";
  return cublas_problem();
}

thread_local int gpu = 0;  // that this thread uses

cudaStream_t new_stream() {
  cudaStream_t made = nullptr;
  check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "make a stream");
  return made;
}
cudaStream_t stream() {
  static PerGpu<cudaStream_t> streams;
  return streams.get([] {
    // What scratch memory has once taken stays with it.
    cudaMemPool_t pool = nullptr;
    check(cudaDeviceGetDefaultMemPool(&pool, gpu), "find the memory pool");
    std::uint64_t all = ~std::uint64_t{0};
    check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all), "set up the memory pool");
    return new_stream();
  });
}

thread_local bool capturing = false;  // a graph, on this thread
// CUDA would take a copy from the host into the graph, with the address that the host's memory has now.
void refuse_in_graph(const char* what) {
  if (capturing) throw DeviceError(std::string("cuda: cannot ") + what + " while a graph is captured");
}

}  // namespace

const std::string& problem() {
  static const std::string found = found_problem();
  return found;
}

std::string description() {
  if (!problem().empty()) return problem();
  cudaDeviceProp device;
  int driver = 0;
  check(cudaGetDeviceProperties(&device, gpu), "describe the GPU");
  check(cudaDriverGetVersion(&driver), "ask for the driver's version");
  const std::string others = count() > 1 ? "one of " + std::to_string(count()) + ": " : "";
  return others + device.name + " (sm_" + std::to_string(device.major) + std::to_string(device.minor) + "), " +
         std::to_string(device.totalGlobalMem >> 30) + " GiB, driver for CUDA " + version_text(driver) + ", " +
         cublas_description();
}

int count() {
  static const int all = [] {
    int found = 0;
    return problem().empty() && cudaGetDeviceCount(&found) == cudaSuccess ? std::min(found, kMostGpus) : 0;
  }();
  return all;
}
void use(int wanted) {
  if (wanted == gpu) return;
  if (wanted < 0 || wanted >= count()) throw DeviceError("there is no GPU " + std::to_string(wanted));
  check(cudaSetDevice(wanted), "use a GPU");
  gpu = wanted;
}
int used() noexcept { return gpu; }

Cuda context() {
  if (!problem().empty()) throw DeviceError(problem());
  return {stream()};
}

std::byte* allocate(long bytes) {
  void* memory = nullptr;
  cudaError_t error = cudaMalloc(&memory, bytes);
  cudaMemPool_t scratch = nullptr;
  if (error == cudaErrorMemoryAllocation && cudaDeviceGetDefaultMemPool(&scratch, gpu) == cudaSuccess) {
    cudaMemPoolTrimTo(scratch, 0);  // what no call uses now
    error = cudaMalloc(&memory, bytes);
  }
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it is told by the null pointer, and not once more by the next launch
    return nullptr;
  }
  check(error, "allocate memory");
  return static_cast<std::byte*>(memory);
}
void release(std::byte* memory) noexcept { cudaFree(memory); }
MemoryFigures memory() {
  std::size_t free = 0, all = 0;
  check(cudaMemGetInfo(&free, &all), "ask for the GPU's memory");
  return {.free = static_cast<long>(free), .all = static_cast<long>(all)};
}

// CUDA promises nothing about when it has read the host's memory: a GPU that can reach all of it reads where it is.
void copy_to_device(void* to, const void* from, long bytes) {
  refuse_in_graph("copy to the GPU");
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream()), "copy to the GPU");
  synchronise();
}
void copy_to_host(void* to, const void* from, long bytes) {
  refuse_in_graph("copy from the GPU");
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream()), "copy from the GPU");
  synchronise();
}
void copy_to_device_beside(void* to, const void* from, long bytes) {
  static PerGpu<cudaStream_t> streams;
  const cudaStream_t beside = streams.get(new_stream);
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, beside), "copy to the GPU");
  check(cudaStreamSynchronize(beside), "copy to the GPU");
}
// CUDA copies blocks that do not overlap; of two that do, by way of a third.
void copy_within_device(void* to, const void* from, long bytes) {
  const auto* begin = static_cast<const std::byte*>(from);
  const auto* target = static_cast<std::byte*>(to);
  const auto copy = [&](void* destination, const void* source) {
    check(cudaMemcpyAsync(destination, source, bytes, cudaMemcpyDeviceToDevice, stream()), "copy on the GPU");
  };
  if (target + bytes <= begin || begin + bytes <= target) return copy(to, from);
  const Scratch<std::byte> between(context(), bytes);
  copy(between.get(), from), copy(to, between.get());
}
void clear(void* memory, long bytes) { check(cudaMemsetAsync(memory, 0, bytes, stream()), "clear memory"); }
void synchronise() {
  refuse_in_graph("wait for the GPU");
  check(cudaStreamSynchronize(stream()), "run what was launched");
}

// Relaxed: other threads go on copying beside it, and the pool may take memory.
Graph::Graph(const std::function<void()>& f) {
  refuse_in_graph("capture a graph");
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "capture a graph");
  cudaGraph_t captured = nullptr;
  const auto end = [&] {
    capturing = false;
    return cudaStreamEndCapture(stream(), &captured);
  };
  capturing = true;
  try {
    f();
  } catch (...) {
    if (end() == cudaSuccess) cudaGraphDestroy(captured);
    cudaGetLastError();  // what f threw says more
    throw;
  }
  check(end(), "capture a graph");
  cudaGraphExec_t made = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&made, captured, 0);
  cudaGraphDestroy(captured);
  check(error, "make a graph");
  graph_ = made;
}
Graph::~Graph() { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph_)); }
void Graph::launch() const { check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph_), stream()), "launch a graph"); }

Moment::Moment() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "make an event");
  event_ = event;
}
Moment::~Moment() { cudaEventDestroy(static_cast<cudaEvent_t>(event_)); }
void Moment::record() noexcept { cudaEventRecord(static_cast<cudaEvent_t>(event_), stream()); }
void Moment::wait() const { check(cudaEventSynchronize(static_cast<cudaEvent_t>(event_)), "wait for an event"); }
double Moment::seconds_until(const Moment& later) const {
  float milliseconds = 0;
  check(cudaEventSynchronize(static_cast<cudaEvent_t>(later.event_)), "wait for an event");
  check(cudaEventElapsedTime(&milliseconds, static_cast<cudaEvent_t>(event_), static_cast<cudaEvent_t>(later.event_)),
        "take the time");
  return milliseconds / 1e3;
}

std::byte* take_scratch(Cuda cuda, long bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMallocAsync(&memory, bytes, static_cast<cudaStream_t>(cuda.stream));
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // as in allocate
    return nullptr;
  }
  check(error, "allocate memory for a kernel");
  return static_cast<std::byte*>(memory);
}
void give_back_scratch(Cuda cuda, std::byte* memory) noexcept {
  cudaFreeAsync(memory, static_cast<cudaStream_t>(cuda.stream));
}

}  // namespace kernels::cuda
