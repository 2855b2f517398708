// The scheduler, barriers, and reports.
#include "kernels/cuda/emulator/block.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>

#include "kernels/cuda/emulator/memory.h"
#include "kernels/cuda/emulator/shared.h"
#include "kernels/cuda/emulator/trace.h"

namespace kernels::emulator {
namespace {

struct Unwinding {};  // leaves a kernel that has failed, so that what it holds is destroyed

std::atomic<std::uint64_t> chosen_seed{0};

// "0, 4-7, 9"
std::string ranges_of(const std::vector<int>& numbers) {
  std::string list;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    list += text(list.empty() ? "" : ", ", numbers[i]);
    if (end - i > 1) list += text("-", numbers[end - 1]);
    i = end;
  }
  return list;
}

std::string in_brackets(const Dim3& d) { return text("(", d.x, ", ", d.y, ", ", d.z, ")"); }

Dim3 index_in(const Dim3& size, unsigned i) { return {i % size.x, i / size.x % size.y, i / size.x / size.y}; }

}  // namespace

std::string text_of(const Where& where) {
  const std::string path = where.file;
  return text(path.substr(path.rfind('/') + 1), ":", where.line);
}

void set_seed(std::uint64_t seed) { chosen_seed = seed; }
std::uint64_t seed() { return chosen_seed; }

Block::Block(const Launch& launch, Dim3 index)
    : launch_(launch),
      index_(index),
      threads_(launch.block.count()),
      exchanges_((launch.block.count() + kWarpSize - 1) / kWarpSize),
      random_(launch.seed * 0x9E3779B97F4A7C15U + index.x + 4099U * index.y + 65537U * index.z) {
  for (std::size_t w = 0; w < exchanges_.size(); ++w) warp_order_.push_back(static_cast<int>(w));
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    Thread& thread = threads_[i];
    thread.number = static_cast<int>(i), thread.index = index_in(launch.block, static_cast<unsigned>(i));
    thread.fiber = std::make_unique<Fiber>([this] {
      try {
        launch_.kernel();
      } catch (const Unwinding&) {
      }
    });
  }
}
Block::~Block() = default;

void Block::run(Trace* trace) {
  current_block = this, trace_ = trace;
  while (ended_ < static_cast<int>(threads_.size()) && failure_.empty())
    if (!run_some()) failure_ = text("block ", in_brackets(index_), ": deadlock, no thread can go on", who_waits());
  current_block = nullptr;
  if (trace_) failure_ += trace_->finish(failure_);
  if (!failure_.empty()) throw Failure(failure_);
}

// Every thread that can, in the order of warps that the seed gives. False if none could.
bool Block::run_some() {
  bool any = false;
  if (launch_.seed) std::ranges::shuffle(warp_order_, random_);
  for (const int warp : warp_order_) {
    const int first = warp * kWarpSize, count = std::min(kWarpSize, static_cast<int>(threads_.size()) - first);
    const int start = launch_.seed ? static_cast<int>(random_() % count) : 0;
    // A warp that others should have waited for may be far ahead of them, or far behind.
    const int rounds = launch_.seed ? 1 + static_cast<int>(random_() % 4) : 1;
    for (int i = 0; i < rounds * count; ++i) {
      Thread& thread = threads_[first + (start + i) % count];
      if (thread.waits_at || thread.fiber->ended()) continue;
      any = true;
      running_ = &thread;
      thread.fiber->resume();
      running_ = nullptr;
      if (!failure_.empty()) return true;
      if (!thread.fiber->ended()) continue;
      ++ended_;
      if (trace_) trace_->done(thread.number);
    }
  }
  return any;
}

void Block::stop_running() { running_->fiber->stop(); }

void Block::maybe_switch() {
  if (launch_.seed && random_() % 8 == 0) stop_running();
}

void Block::fail(const std::string& what) {
  failure_ = text("block ", in_brackets(index_), ", thread ", in_brackets(running_->index), ": ", what);
  throw Unwinding();
}

void Block::barrier(const Where& where) {
  Thread& me = *running_;
  me.waits_at = "__syncthreads", me.where = where;
  if (trace_) trace_->barrier(me.number, where);
  if (++at_barrier_ == static_cast<int>(threads_.size()))
    release_barrier();
  else
    stop_running();
}

void Block::release_barrier() {
  for (const Thread& thread : threads_)
    if (thread.where != threads_[0].where)
      fail(text("threads meet at different barriers: thread 0 at ", text_of(threads_[0].where), ", thread ",
                thread.number, " at ", text_of(thread.where)));
  if (trace_) trace_->release(threads_[0].where);
  at_barrier_ = 0;
  for (Thread& thread : threads_) thread.waits_at = nullptr, ++thread.barriers;
}

const std::byte (*Block::exchange(unsigned mask, const char* what, const void* value, std::size_t bytes,
                                  const Where& where, bool is_barrier))[kExchangeBytes] {
  Thread& me = *running_;
  if (!(mask >> me.lane() & 1)) fail(text(what, " at ", text_of(where), ": its mask lacks this lane"));
  if (trace_) trace_->exchange(me.number, mask, what, where, is_barrier);
  Exchange& exchange = exchanges_[me.warp()][mask];
  if (exchange.arrived && (exchange.what != what || exchange.where != where))
    fail(text("lanes of a warp meet at different places: ", exchange.what, " at ", text_of(exchange.where), " and ",
              what, " at ", text_of(where)));
  exchange.what = what, exchange.where = where;
  auto* const values = exchange.values[exchange.generation % 2];
  std::memcpy(values[me.lane()], value, bytes);
  exchange.arrived |= 1U << me.lane();
  if (exchange.arrived != mask) {
    me.waits_at = what, me.where = where;
    stop_running();
  } else {
    exchange.arrived = 0, ++exchange.generation;
    const int first = me.warp() * kWarpSize;
    for (int lane = 0; lane < kWarpSize; ++lane)
      if (mask >> lane & 1)
        threads_[first + lane].waits_at = nullptr, threads_[first + lane].warp_barriers += is_barrier;
  }
  return values;
}

std::unique_ptr<SharedArrayBase>& Block::shared(const Declaration& declaration) { return shared_[declaration]; }

std::string Block::who_waits() const {
  std::map<std::string, std::vector<int>> by_place;
  for (const Thread& thread : threads_)
    by_place[thread.fiber->ended() ? "ended" : text("wait at ", thread.waits_at, ", ", text_of(thread.where))]
        .push_back(thread.number);
  std::string list;
  for (const auto& [place, numbers] : by_place) list += text("\n  threads ", ranges_of(numbers), " ", place);
  return list;
}

void run_grid(const Block::Launch& launch) {
  const OpenMemory open;
  const unsigned blocks = launch.grid.count();
  if (launch.block.count() == 0 || launch.block.count() > 1024)
    throw Failure(text("a block has 1 to 1024 threads, wanted ", launch.block.count()));
  constexpr long kMostShared = 227 * 1024;  // of sm_90; sm_80 has 163 KiB
  if (launch.shared_bytes < 0 || launch.shared_bytes > kMostShared)
    throw Failure(text("a block has 0 to ", kMostShared, " bytes of shared memory, wanted ", launch.shared_bytes));
  const std::unique_ptr<Trace> trace = Trace::of(launch);
  std::atomic<unsigned> next{0};
  std::mutex mutex;
  std::map<unsigned, std::exception_ptr> failures;
  const auto work = [&] {
    for (unsigned i = next++; i < blocks; i = next++) try {
        const Dim3 index = index_in(launch.grid, i);
        Block(launch, index).run(trace && trace->is_of(index) ? trace.get() : nullptr);
      } catch (...) {
        const std::lock_guard lock(mutex);
        failures[i] = std::current_exception();
        next = blocks;
      }
  };
  // OpenMP keeps its threads from one launch to the next, and they their fibers' stacks. Small grids are not worth it.
#pragma omp parallel if (blocks > 1 && blocks * launch.block.count() > 2048)
  work();
  if (!failures.empty()) std::rethrow_exception(failures.begin()->second);
}

}  // namespace kernels::emulator
