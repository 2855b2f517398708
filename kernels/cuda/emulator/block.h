// One block of a CUDA launch: its threads as fibers, what they wait for, and in which order they run.
//
// A thread runs until it must wait for others: at a barrier, in a warp's exchange of values. Who is next is drawn from
// the seed: the same seed gives the same schedule. Whatever no order of threads should do ends the launch with a report
// that says which threads, where: a deadlock, a barrier that some missed, a race on shared memory, an index outside.
#pragma once
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>

#include "kernels/cuda/emulator/fiber.h"
#include "kernels/cuda/emulator/text.h"

namespace kernels::emulator {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr Dim3(unsigned x_size = 1, unsigned y_size = 1, unsigned z_size = 1) : x(x_size), y(y_size), z(z_size) {}
  constexpr unsigned count() const { return x * y * z; }
  bool operator==(const Dim3& other) const = default;
};

// What went wrong in a kernel, in one or several lines.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A place in the source; Where::current() as a default argument is that of the call. (clang 14 has no
// std::source_location.)
struct Where {
  const char* file = "";
  int line = 0;
  static constexpr Where current(const char* file_name = __builtin_FILE(), int line_number = __builtin_LINE()) {
    return {file_name, line_number};
  }
  bool operator==(const Where& other) const = default;
};
std::string text_of(const Where& where);  // "layer_norm.cu:31"

inline constexpr int kWarpSize = 32;
inline constexpr std::size_t kExchangeBytes = 32;  // the most that a lane gives in one exchange

class SharedArrayBase;

// cp.async: a copy of global to shared memory that goes on while its thread does, until that waits for it.
struct AsyncCopy {
  SharedArrayBase* to;
  long first, count;  // elements
  const void* from;
  int bytes, source_bytes;  // the rest is zero
  long group;               // of its thread
  bool late;                // else it was done at once
};

// What one thread is doing.
struct Thread {
  std::unique_ptr<Fiber> fiber;
  Dim3 index;
  int number = 0;                       // within the block
  const char* waits_at = nullptr;       // what it waits at, null: it can run
  Where where;                          // and where in the source
  int barriers = 0, warp_barriers = 0;  // passed so far: what is before one happened before what is after it
  std::vector<AsyncCopy> copies;        // not waited for
  long groups = 0;                      // of copies, committed so far
  int warp() const { return number / kWarpSize; }
  int lane() const { return number % kWarpSize; }
};

// Lanes of one warp that exchange values: all of `mask` must come to the same place.
struct Exchange {
  unsigned arrived = 0;
  long generation = 0;
  const char* what = nullptr;
  Where where;
  alignas(16) std::byte values[2][kWarpSize][kExchangeBytes];  // of this generation and the one before
};

class Trace;

class Block {
 public:
  struct Launch {
    Dim3 grid, block;
    std::uint64_t seed = 0;  // threads in order
    std::function<void()> kernel = {};
    long shared_bytes = 0;  // beyond the arrays that the kernel declares
    const char* name = "";  // of the kernel, as LAUNCH spells it
    Where where{};          // of the launch
  };
  Block(const Launch& launch, Dim3 index);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // Until all threads have ended. Throws Failure.
  void run(Trace* trace = nullptr);

  // -- for the thread that runs ---------------------------------------------------------------------------------------
  static Block& current();  // *current_block
  Thread& thread() { return *running_; }
  Dim3 index() const { return index_; }
  const Launch& launch() const { return launch_; }
  Trace* trace() const { return trace_; }  // null: nobody wants one of this block
  void barrier(const Where& where);
  // Gives `value` and waits for the lanes of `mask`; returns what each lane gave, valid until this lane's next
  // exchange. One that is no barrier says nothing about what is before or after it in shared memory.
  const std::byte (*exchange(unsigned mask, const char* what, const void* value, std::size_t bytes, const Where& where,
                             bool is_barrier = true))[kExchangeBytes];
  // Now and then lets others run, where the schedule says so: called before every access to shared memory.
  void maybe_switch();
  // Whether an asynchronous copy that begins now takes as long as it can. Without a seed, all do.
  bool draw_late() { return !launch_.seed || random_() % 2; }
  // The block's own array that is declared there, null before the first thread comes by.
  struct Declaration {
    const char *name = nullptr, *file = nullptr;
    int line = 0;
    const std::type_info* type = nullptr;  // of an element
    long size = 0, byte = 0;
    auto operator<=>(const Declaration&) const = default;
  };
  std::unique_ptr<SharedArrayBase>& shared(const Declaration& declaration);
  // Ends the launch. Names the block, and the thread that runs if there is one.
  [[noreturn]] void fail(const std::string& what);

 private:
  void stop_running();
  void release_barrier();
  bool run_some();
  std::string who_waits() const;

  Launch launch_;
  Dim3 index_;
  Trace* trace_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<std::map<unsigned, Exchange>> exchanges_;  // by warp, by mask
  std::map<Declaration, std::unique_ptr<SharedArrayBase>> shared_;
  Thread* running_ = nullptr;
  int at_barrier_ = 0, ended_ = 0;
  std::string failure_;
  std::mt19937_64 random_;
  std::vector<int> warp_order_;
};

inline thread_local Block* current_block = nullptr;  // whose threads this OS thread runs; a debugger can read it
inline Block& Block::current() { return *current_block; }

// Runs the kernel in all blocks, spread over as many OS threads as OpenMP would take. Throws the Failure of the first
// block that has one.
void run_grid(const Block::Launch& launch);

// The schedules of later launches: 0 in order, else drawn from the seed.
void set_seed(std::uint64_t seed);
std::uint64_t seed();

}  // namespace kernels::emulator
