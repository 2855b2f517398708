// Asynchronous copies in the emulator: when they take place, pipelines of two stages, and the mistakes made with both.
#include <set>

#include "kernels/cuda/instructions.h"
#include "tests/kernels/cuda/emulator/failures.h"

namespace lookhere {
namespace {

using kernels::Cuda;
namespace cuda = kernels::cuda;

constexpr std::uint64_t kSeeds[] = {0, 1, 2, 3, 4, 5};

class Copies : public Emulator {
 protected:
  // What is wrong, with both of its lines.
  static void expect_says(const std::string& said, const std::string& what, const std::string& line,
                          const std::string& other_line) {
    for (const std::string& part : {what, line, other_line})
      EXPECT_NE(said.find(part), said.npos) << part << ": " << said;
  }
};

// -- when ------------------------------------------------------------------------------------------------------------

// Each thread changes what it copies before it waits.
__global__ void changed_source(float* out, float* x) {
  SHARED(float, copied, 32);
  const int i = static_cast<int>(threadIdx.x);
  x[i] = 1;
  cuda::cp_async<4>(&copied[i], &x[i]);
  cuda::cp_async_commit();
  x[i] = 2;
  cuda::cp_async_wait<0>();
  out[i] = copied[i];
}

TEST_F(Copies, TakePlaceAtOnceOrAtTheWait) {
  std::set<float> seen;
  for (const std::uint64_t seed : kSeeds) {
    emulator::set_seed(seed);
    std::vector<float> x(32), out(32), again(32);
    LAUNCH(changed_source, dim3(1), dim3(32), Cuda{}, out.data(), x.data());
    LAUNCH(changed_source, dim3(1), dim3(32), Cuda{}, again.data(), x.data());
    EXPECT_EQ(out, again) << "seed " << seed;
    if (seed == 0)
      EXPECT_EQ(out, std::vector<float>(32, 2));
    else
      seen.insert(out.begin(), out.end());
  }
  EXPECT_EQ(seen, (std::set<float>{1, 2}));
}

enum class Wait { none, two_latest, latest, all_groups, all };

// Three copies, of which the last is of no group.
__global__ void wait_for_some(float* out, const float* x, Wait wait, int which) {
  SHARED(float, copied, 3);
  for (int i = 0; i < 3; ++i) {
    cuda::cp_async<4>(&copied[i], &x[i]);  // begun here
    if (i < 2) cuda::cp_async_commit();
  }
  if (wait == Wait::two_latest) cuda::cp_async_wait<2>();
  if (wait == Wait::latest) cuda::cp_async_wait<1>();
  if (wait == Wait::all_groups) cuda::cp_async_wait<0>();
  if (wait == Wait::all) cuda::cp_async_wait_all();
  *out = copied[which];  // read by the same thread
}

TEST_F(Copies, AreDoneOnceTheirGroupHasBeenWaitedFor) {
  const float x[] = {1, 2, 3};
  const int done[] = {0, 0, 1, 2, 3};
  for (const std::uint64_t seed : kSeeds)
    for (int wait = 0; wait < 5; ++wait)
      for (int which = 0; which < 3; ++which) {
        float out = 0;
        const std::string said = failure_of(
            [&] { LAUNCH(wait_for_some, dim3(1), dim3(1), Cuda{}, &out, x, static_cast<Wait>(wait), which); }, seed);
        if (which < done[wait])
          EXPECT_TRUE(said.empty() && out == x[which]) << said;
        else
          EXPECT_EQ(
              said,
              concat("block (0, 0, 0), thread (0, 0, 0): copied[", which, "] at ", line_of("read by the same thread"),
                     " is read before its copy has been waited for, which began at ", line_of("begun here")));
      }
}

// -- pipelines -------------------------------------------------------------------------------------------------------

enum class Bug {
  none,
  released_early,     // the next copy overwrites what others still read
  one_row_too_many,   // off by one in the loop that copies
  sixteen_bytes_on,   // off by one in its address
  no_wait,            // nobody waits for copies
  one_group_too_few,  // the wait lets the copy that is needed go on
  no_barrier,         // copies of others are read after a wait for one's own
  barrier_first       // the barrier is before the wait
};

constexpr int kRows = 8, kColumns = 16, kThreads = 32, kTiles = 5;
static_assert(kRows * kColumns == 4 * kThreads);

// The sums of columns, by tiles of kRows rows that are copied while the tile before is summed.
__global__ void sum_tiles(float* out, const float* x, Bug bug) {
  constexpr int kTile = kRows * kColumns;
  SHARED_VIEW(float, stages, 2 * kTile, 0);
  const int i = static_cast<int>(threadIdx.x);
  const auto begin_copy = [&](int tile) {
    const int rows = kRows + (bug == Bug::one_row_too_many && tile == 3);
    const int at = tile % 2 * kTile + (bug == Bug::sixteen_bytes_on && tile == 1 ? 4 : 0);
    for (int e = 4 * i; e < rows * kColumns; e += 4 * kThreads)
      cuda::cp_async<16>(&stages[at + e], &x[tile % kTiles * kTile + e]);  // copied
  };
  float sum = 0;
  begin_copy(0);
  cuda::cp_async_commit();
  for (int tile = 0; tile < kTiles; ++tile) {
    if (tile + 1 < kTiles) begin_copy(tile + 1);
    cuda::cp_async_commit();
    if (bug == Bug::barrier_first) __syncthreads();
    if (bug == Bug::one_group_too_few)
      cuda::cp_async_wait<2>();
    else if (bug != Bug::no_wait)
      cuda::cp_async_wait<1>();
    if (bug != Bug::no_barrier && bug != Bug::barrier_first) __syncthreads();
    for (int row = 0; row < kRows && i < kColumns; ++row)
      sum += stages[tile % 2 * kTile + row * kColumns + i];  // summed
    if (bug != Bug::released_early) __syncthreads();
  }
  if (i < kColumns) out[i] = sum;
}

class Pipelines : public Copies {
 protected:
  std::vector<float> x_ = std::vector<float>(kTiles * kRows * kColumns), out_ = std::vector<float>(kColumns);
  std::string said_of(Bug bug, std::uint64_t seed) {
    for (std::size_t i = 0; i < x_.size(); ++i) x_[i] = static_cast<float>(i % 37);
    return failure_of(
        [&] {
          LAUNCH_WITH_SHARED(sum_tiles, dim3(1), dim3(kThreads), 2 * kRows * kColumns * 4, Cuda{}, out_.data(),
                             x_.data(), bug);
        },
        seed);
  }
};

TEST_F(Pipelines, OfTwoStagesAreRight) {
  for (const std::uint64_t seed : kSeeds) {
    EXPECT_EQ(said_of(Bug::none, seed), "");
    for (int column = 0; column < kColumns; ++column) {
      float sum = 0;
      for (int row = 0; row < kTiles * kRows; ++row) sum += x_[row * kColumns + column];
      EXPECT_EQ(out_[column], sum) << column << ", seed " << seed;
    }
  }
}

TEST_F(Pipelines, AStageReleasedEarlyIsARace) {
  for (const std::uint64_t seed : kSeeds) {
    const std::string said = said_of(Bug::released_early, seed);
    expect_says(said, "race on stages[", line_of("copied"), line_of("summed"));
  }
}

TEST_F(Pipelines, ACopyTooFarIsOutside) {
  for (const std::uint64_t seed : kSeeds)
    for (const Bug bug : {Bug::one_row_too_many, Bug::sixteen_bytes_on}) {
      const std::string said = said_of(bug, seed);
      const bool a_row = bug == Bug::one_row_too_many;  // the schedule says which part of it is first
      EXPECT_NE(said.find(a_row ? ": stages[2" : ": stages[256] at "), said.npos) << said;
      EXPECT_TRUE(said.ends_with(concat("] at ", line_of("copied"), ": the array has 256 elements"))) << said;
    }
}

TEST_F(Pipelines, CopiesMustBeWaitedForByAll) {
  for (const std::uint64_t seed : kSeeds) {
    for (const Bug bug : {Bug::no_wait, Bug::one_group_too_few})
      expect_says(said_of(bug, seed), "", line_of("copied"), line_of("summed"));
    for (const Bug bug : {Bug::no_barrier, Bug::barrier_first})
      expect_says(said_of(bug, seed), "race on stages[", line_of("copied"), line_of("summed"));
  }
}

// -- other mistakes --------------------------------------------------------------------------------------------------

enum class Use { read, write, copy, update };

// Thread 0 copies, and may wait after a barrier, which is too early for thread `by`, which uses the destination.
__global__ void use_in_flight(const float* x, Use use, unsigned by, bool wait) {
  SHARED(float, copied, 4);
  if (threadIdx.x == 0) cuda::cp_async<16>(copied, x);  // begun first
  __syncthreads();
  if (wait) cuda::cp_async_wait_all();
  if (threadIdx.x != by) return;
  float sum = 0;
  if (use == Use::read) sum = copied[3];                   // read too early
  if (use == Use::write) copied[3] = sum;                  // written too early
  if (use == Use::copy) cuda::cp_async<4>(&copied[3], x);  // copied to too early
  if (use == Use::update) atomicAdd(&copied[3], 1);        // updated too early
}

TEST_F(Copies, InFlightAreNobodys) {
  alignas(16) const float x[4] = {};
  const char *does[] = {"reads it", "writes it", "copies to it", "updates it"},
             *done[] = {"read", "written", "copied to", "updated"};
  for (const std::uint64_t seed : kSeeds)
    for (int use = 0; use < 4; ++use) {
      const auto said = [&](unsigned by, bool wait) {
        return failure_of([&] { LAUNCH(use_in_flight, dim3(1), dim3(64), Cuda{}, x, static_cast<Use>(use), by, wait); },
                          seed);
      };
      const std::string line = line_of(concat(done[use], " too early"));
      EXPECT_EQ(said(0, false),
                concat("block (0, 0, 0), thread (0, 0, 0): copied[3] at ", line, " is ", done[use],
                       " before its copy has been waited for, which began at ", line_of("begun first")));
      for (const unsigned by : {1U, 32U})
        EXPECT_EQ(said(by, false),
                  concat("block (0, 0, 0), thread (", by, ", 0, 0): race on copied[3]: ", does[use], " at ", line,
                         ", thread 0 copies to it at ", line_of("begun first"), " and has not waited for the copy"));
      EXPECT_EQ(said(0, true), "");
      for (const unsigned by : {1U, 32U})  // no barrier after the wait
        expect_says(said(by, true), "race on copied[", line, line_of("begun first"));
    }
}

__global__ void copy_once(const float* x, int to, int bytes) {
  SHARED(float, copied, 10);
  cuda::cp_async<16>(&copied[to], x, bytes);  // one copy
}

TEST_F(Copies, RefuseWhatNoGpuTakes) {
  alignas(16) const float x[8] = {};
  const auto said = [&](int from, int to, int bytes) {
    return failure_of([&] { LAUNCH(copy_once, dim3(1), dim3(1), Cuda{}, x + from, to, bytes); });
  };
  const std::string at = "block (0, 0, 0), thread (0, 0, 0): cp_async at " + line_of("one copy") + ": ";
  EXPECT_EQ(said(0, 4, 16), "");
  EXPECT_EQ(said(0, 4, 0), "");
  EXPECT_EQ(said(0, 8, 16), "block (0, 0, 0), thread (0, 0, 0): copied[10] at " + line_of("one copy") +
                                ": the array has 10 elements");  // half of it is inside
  EXPECT_EQ(said(0, 2, 16), at + "copied[2] is at byte 8 of shared memory, which is no multiple of 16");
  EXPECT_EQ(said(1, 4, 16), at + "its source is no multiple of 16 bytes");
  EXPECT_EQ(said(0, 4, 17), at + "wants 17 bytes for a copy of 16");
  EXPECT_EQ(said(0, 4, -1), at + "wants -1 bytes for a copy of 16");
}

}  // namespace
}  // namespace lookhere
