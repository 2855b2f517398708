// `new` of the tests on a GPU: what kernel tests keep in vectors is memory that the GPU reads and writes at the same
// address, pinned and mapped. It is taken when tests begin for which kernels are waited for (CUDA_LAUNCH_BLOCKING=1);
// all else, and all where there is no GPU or no more of it, is the system's.
#include <cuda_runtime.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>

#include "kernels/cuda/device.h"

namespace {

constexpr std::size_t kArena = std::size_t{2} << 30;
constexpr std::size_t kHeader = 64;  // before each block, and what blocks are aligned to

struct Freed {
  Freed* next;
};

// Blocks of a power of two bytes, kept by their size when they are given back. Nothing here calls `new`.
struct Arena {
  std::mutex mutex;
  std::byte *begin = nullptr, *end = nullptr, *unused = nullptr;
  Freed* freed[64] = {};
  long refused = 0;

  bool holds(const void* memory) const { return begin <= memory && memory < end; }
  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex);
    if (!begin) return nullptr;
    int size = 7;
    while ((std::size_t{1} << size) < bytes + kHeader) ++size;
    std::byte* block = reinterpret_cast<std::byte*>(freed[size]);
    if (block) {
      freed[size] = freed[size]->next;
    } else {
      if (static_cast<std::size_t>(end - unused) < std::size_t{1} << size) return ++refused, nullptr;
      block = unused;
      unused += std::size_t{1} << size;
    }
    *reinterpret_cast<int*>(block) = size;
    return block + kHeader;
  }
  void give_back(void* memory) {
    const std::lock_guard lock(mutex);
    auto* block = static_cast<std::byte*>(memory) - kHeader;
    const int size = *reinterpret_cast<int*>(block);
    freed[size] = new (block) Freed{freed[size]};
  }
};
constinit Arena arena;

struct TakeArena : testing::Environment {
  void SetUp() override {
    const std::string& problem = kernels::cuda::problem();
    void* memory = nullptr;
    const char* said = "the system's";
    if (!problem.empty()) {
      said = problem.c_str();
    } else if (std::getenv("CUDA_LAUNCH_BLOCKING")) {
      const cudaError_t error = cudaHostAlloc(&memory, kArena, cudaHostAllocMapped);
      said = error == cudaSuccess ? "pinned, and the GPU's too" : cudaGetErrorString(error);
    }
    std::printf("memory of the tests: %s\n", said);
    if (!memory) return;
    const std::lock_guard lock(arena.mutex);
    arena.begin = arena.unused = static_cast<std::byte*>(memory), arena.end = arena.begin + kArena;
    // CUDA takes it back when the process ends, before the last destructors: none is to run.
    on_exit([](int code, void*) { std::fflush(nullptr), _exit(code); }, nullptr);
  }
  void TearDown() override {
    if (arena.refused) std::printf("memory of the tests: %ld calls found no more of it\n", arena.refused);
  }
};
[[maybe_unused]] const testing::Environment* const taken = testing::AddGlobalTestEnvironment(new TakeArena);

}  // namespace

void* operator new(std::size_t size) {
  if (void* memory = arena.take(size)) return memory;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { arena.holds(memory) ? arena.give_back(memory) : std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
