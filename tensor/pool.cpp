// The pool: kept blocks by thread and size, and where new ones come from.
#include "tensor/pool.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "kernels/cuda/device.h"
#include "tensor/error.h"
#include "tensor/guarded.h"
#include "tensor/large_blocks.h"
#include "tensor/out_of_memory.h"

namespace lookhere {
namespace {

constexpr long kAlignment = 64;      // a cache line, and an AVX-512 register
constexpr long kLargest = 1L << 46;  // 64 TiB, half of what a processor can address: sums cannot overflow

// From here on blocks are cut from chunks of huge pages; a sanitizer sees the ends of blocks that have their own
// memory.
#ifdef SANITIZED
constexpr long kLarge = 1L << 60;
#else
constexpr long kLarge = 256L << 10;
#endif

// Sizes are rounded up so that near-equal requests share blocks: to one of eight steps per power of two. Of large
// blocks that could waste megabytes: they have 128 steps, which are whole pages.
long size_class(long bytes) {
  const long steps = bytes < kLarge ? 8 : 128;
  long step = kAlignment;
  while (step * steps < bytes) step *= 2;
  return bytes <= kAlignment ? kAlignment : (bytes + step - 1) / step * step;
}

}  // namespace

// Blocks go back to the thread that took them: what one thread finds kept then never depends on how far another is, and
// tasks that repeat ask the system for nothing new.
struct BlockClass {
  int owner;  // a thread's number, or below 0 that of a Pool::Own
  long size;
  auto operator<=>(const BlockClass&) const = default;
};

// Whatever is needed to take a block back is made before it is handed out: tensors end in destructors, which must not
// run out of memory.
struct Block {
  std::byte* memory;
  long size;
  Block** kept;  // the list of its class
  Block* next;   // in that list
};

struct Pool::State {
  explicit State(Device of) : device(of) {}
  const Device device;
  std::mutex mutex;
  std::map<BlockClass, Block*> kept;  // lists: the block that came last goes first, it may still be in the cache
  LargeBlocks large;
  PoolStats stats;
  long limit = 0;
  std::set<int> owners;  // every Pool::Own that lives

  ~State() { release_kept(); }
  std::byte* take_from_system(long size) {
    if (device == Device::guarded) return guarded_memory().take(size);
    if (device == Device::cuda) return kernels::cuda::allocate(size);
    if (size >= kLarge) return large.take(size);
    return static_cast<std::byte*>(std::aligned_alloc(kAlignment, size));
  }
  void give_to_system(std::byte* memory, long size) noexcept {
    if (device == Device::cuda)
      kernels::cuda::release(memory);
    else if (size >= kLarge)
      large.give_back(memory);
    else
      std::free(memory);
  }
  void release_kept() noexcept {
    if (device == Device::guarded) return;
    for (auto& [kind, first] : kept)
      while (first && !owners.contains(kind.owner)) {
        const Block* block = std::exchange(first, first->next);
        give_to_system(block->memory, block->size);
        stats.reserved -= block->size;
        delete block;
      }
  }
  Block* take_new(BlockClass wanted) {
    const long size = wanted.size;
    const auto past_limit = [&] { return limit && stats.reserved + size > limit; };
    if (past_limit()) release_kept();
    if (past_limit()) throw OutOfMemory(size, stats.in_use, limit);
    Block*& list = kept[wanted];
    auto block = std::make_unique<Block>(Block{.memory = nullptr, .size = size, .kept = &list, .next = nullptr});
    block->memory = take_from_system(size);
    if (!block->memory) release_kept(), block->memory = take_from_system(size);
    if (!block->memory) throw device == Device::cuda ? OutOfMemory::on_gpu(size) : OutOfMemory(size);
    stats.reserved += size;
    ++stats.allocations;
    return block.release();
  }
  Block* hand_out(BlockClass wanted) {
    const std::lock_guard lock(mutex);
    const auto list = kept.find(wanted);
    Block* block = list != kept.end() ? list->second : nullptr;
    if (block)
      list->second = block->next;
    else
      block = take_new(wanted);
    stats.in_use += wanted.size;
    stats.peak = std::max(stats.peak, stats.in_use);
    return block;
  }
  void take_back(Block* block) noexcept {
    const std::lock_guard lock(mutex);
    block->next = *block->kept;
    *block->kept = block;
    stats.in_use -= block->size;
  }
};

namespace {

// Whose blocks this thread takes of a pool, if not its own.
using Taken = std::pair<const void*, int>;
thread_local const Taken* taken_from = nullptr;

}  // namespace

Pool::Own::Own(Device device) : state_(Pool::of(device).state_) {
  static std::atomic<int> last = 0;
  owner_ = --last;
  const std::lock_guard lock(state_->mutex);
  state_->owners.insert(owner_);
}
Pool::Own::~Own() {
  const std::lock_guard lock(state_->mutex);
  state_->owners.erase(owner_);
  state_->release_kept();
}
void Pool::Own::use(const std::function<void()>& f) const {
  struct Taking {
    Taken from;
    const Taken* before = std::exchange(taken_from, &from);
    ~Taking() { taken_from = before; }
  } const taking{.from = {state_.get(), owner_}};
  f();
}

Pool::Pool(Device device) : state_(std::make_shared<State>(device)) {}

Pool& Pool::of(Device device) {
  // Never destroyed: where OpenMP's library ends the process, threads are at work.
  static Pool& cpu = *new Pool(Device::cpu);
  if (device == Device::cpu) return cpu;
  if (device == Device::cuda) {
    check_device(device);
    static std::vector<Pool>& of_gpus = *[] {
      auto* pools = new std::vector<Pool>;
      for (int gpu = 0; gpu < kernels::cuda::kMostGpus; ++gpu) pools->push_back(Pool(Device::cuda));
      kernels::cuda::reclaim = []() noexcept { Pool::of(Device::cuda).release_kept(); };
      return pools;
    }();
    return of_gpus[kernels::cuda::used()];
  }
  static Pool& guarded = *new Pool(Device::guarded);
  return guarded;
}

std::shared_ptr<std::byte> Pool::allocate(long bytes) {
  check(bytes >= 0, "allocate: negative size ", bytes);
  if (bytes > kLargest) throw OutOfMemory(bytes);
  const bool own = taken_from && taken_from->first == state_.get();
  Block* block = state_->hand_out({own ? taken_from->second : omp_get_thread_num(), size_class(bytes)});
  return {block->memory, [state = state_, block](std::byte*) { state->take_back(block); }};
}

PoolStats Pool::stats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stats;
}

void Pool::set_limit(long bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->limit = bytes;
}

void Pool::reset_peak() {
  const std::lock_guard lock(state_->mutex);
  state_->stats.peak = state_->stats.in_use;
}

void Pool::release_kept() {
  const std::lock_guard lock(state_->mutex);
  state_->release_kept();
}

}  // namespace lookhere
