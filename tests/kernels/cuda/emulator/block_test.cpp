// The emulator: what kernels compute in it, that schedules repeat, and that it names the mistakes that they make.
#include <set>

#include "tests/kernels/cuda/emulator/failures.h"

namespace lookhere {
namespace {

using kernels::Cuda;

constexpr std::uint64_t kSeeds[] = {0, 1, 2, 3, 4, 5, 6, 7};

__global__ void number(int* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] = static_cast<int>(100 * block + thread);
}

TEST_F(Emulator, EveryThreadOfEveryBlockRunsOnce) {
  for (const std::uint64_t seed : kSeeds) {
    emulator::set_seed(seed);
    std::vector<int> out(2 * 3 * 2 * 24, -1);
    LAUNCH(number, dim3(2, 3, 2), dim3(4, 3, 2), Cuda{}, out.data());
    for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], static_cast<int>(100 * (i / 24) + i % 24));
  }
}

// The sum of a block's values by shuffles within warps and shared memory between them.
__global__ void block_sum(float* out, const float* x) {
  SHARED(float, sums, 32);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int warps = static_cast<int>(blockDim.x) / 32;
  float sum = x[blockIdx.x * blockDim.x + threadIdx.x];
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0U, sum, step);
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  float total = 0;
  for (int i = 0; i < warps; ++i) total += sums[i];
  out[blockIdx.x * blockDim.x + threadIdx.x] = total;
}

TEST_F(Emulator, SumsOfABlockInAnySchedule) {
  for (const std::uint64_t seed : kSeeds)
    for (const unsigned threads : {32U, 64U, 256U, 1024U}) {
      emulator::set_seed(seed);
      std::vector<float> x, out(3 * threads);
      for (unsigned i = 0; i < 3 * threads; ++i) x.push_back(static_cast<float>(i % 7));
      LAUNCH(block_sum, dim3(3), dim3(threads), Cuda{}, out.data(), x.data());
      for (unsigned i = 0; i < 3 * threads; ++i) {
        const auto first = x.begin() + i / threads * threads;
        ASSERT_EQ(out[i], std::accumulate(first, first + threads, 0.F)) << i << " of " << threads << ", seed " << seed;
      }
    }
}

__global__ void exchanges(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  int* to = out + 7 * lane;
  to[0] = __shfl_sync(~0U, lane, 5);
  to[1] = __shfl_up_sync(~0U, lane, 3);
  to[2] = __shfl_down_sync(~0U, lane, 3);
  to[3] = static_cast<int>(__ballot_sync(~0U, lane % 3 == 0));
  to[4] = __any_sync(~0U, lane == 31);
  to[5] = __all_sync(~0U, lane < 31);
  if (lane >= 8 && lane < 16) to[6] = __shfl_xor_sync(0xff00U, lane, 7);
}

TEST_F(Emulator, ShufflesAndVotes) {
  for (const std::uint64_t seed : kSeeds) {
    emulator::set_seed(seed);
    std::vector<int> out(7 * 32, -1);
    LAUNCH(exchanges, dim3(1), dim3(32), Cuda{}, out.data());
    for (int lane = 0; lane < 32; ++lane) {
      const int* got = out.data() + 7 * lane;
      EXPECT_EQ(got[0], 5);
      EXPECT_EQ(got[1], lane < 3 ? lane : lane - 3);
      EXPECT_EQ(got[2], lane > 28 ? lane : lane + 3);
      EXPECT_EQ(static_cast<unsigned>(got[3]), 0x49249249U);
      EXPECT_EQ(got[4], 1);
      EXPECT_EQ(got[5], 0);
      EXPECT_EQ(got[6], lane >= 8 && lane < 16 ? (lane ^ 7) : -1);
    }
  }
}

// The order in which threads get to a place: shared by all of a block, which run on one OS thread.
__global__ void order(std::vector<int>* seen) {
  seen->push_back(static_cast<int>(threadIdx.x));
  __syncthreads();
  seen->push_back(static_cast<int>(threadIdx.x));
}

TEST_F(Emulator, ASeedIsASchedule) {
  std::set<std::vector<int>> schedules;
  for (const std::uint64_t seed : kSeeds) {
    emulator::set_seed(seed);
    std::vector<int> first, again;
    LAUNCH(order, dim3(1), dim3(128), Cuda{}, &first);
    LAUNCH(order, dim3(1), dim3(128), Cuda{}, &again);
    EXPECT_EQ(first, again);
    schedules.insert(first);
  }
  EXPECT_EQ(schedules.size(), std::size(kSeeds));
}

// -- mistakes --------------------------------------------------------------------------------------------------------

__global__ void missing_barrier(float* out) {
  SHARED(float, row, 64);
  row[threadIdx.x] = 1;                             // written here
  out[threadIdx.x] = row[(threadIdx.x + 32) % 64];  // read too early
}

TEST_F(Emulator, NamesBothLinesOfARace) {
  std::vector<float> out(64);
  for (const std::uint64_t seed : kSeeds) {
    const std::string said = failure_of([&] { LAUNCH(missing_barrier, dim3(1), dim3(64), Cuda{}, out.data()); }, seed);
    EXPECT_NE(said.find("race on row["), said.npos) << said;
    EXPECT_NE(said.find(line_of("written here")), said.npos) << said;
    EXPECT_NE(said.find(line_of("read too early")), said.npos) << said;
    EXPECT_NE(said.find("without a barrier in between"), said.npos) << said;
  }
}

// The second round writes what others may still read.
__global__ void released_early(float* out) {
  SHARED(float, row, 64);
  for (int round = 0; round < 2; ++round) {
    row[threadIdx.x] = static_cast<float>(round);
    __syncthreads();
    out[threadIdx.x] += row[63 - threadIdx.x];
  }
}
__global__ void released_in_time(float* out) {
  SHARED(float, row, 64);
  for (int round = 0; round < 2; ++round) {
    row[threadIdx.x] = static_cast<float>(round);
    __syncthreads();
    out[threadIdx.x] += row[63 - threadIdx.x];
    __syncthreads();
  }
}

TEST_F(Emulator, AStageReleasedEarlyIsARace) {
  std::vector<float> out(64);
  for (const std::uint64_t seed : kSeeds) {
    EXPECT_NE(failure_of([&] { LAUNCH(released_early, dim3(1), dim3(64), Cuda{}, out.data()); }, seed).find("race on"),
              std::string::npos);
    EXPECT_EQ(failure_of([&] { LAUNCH(released_in_time, dim3(1), dim3(64), Cuda{}, out.data()); }, seed), "");
  }
}

__global__ void racing_store() {
  SHARED(int, count, 1);
  count[0] = static_cast<int>(threadIdx.x);
}

TEST_F(Emulator, ARacingStoreIsFound) {
  for (const std::uint64_t seed : kSeeds)
    EXPECT_NE(failure_of([&] { LAUNCH(racing_store, dim3(1), dim3(2), Cuda{}); }, seed).find("writes it at"),
              std::string::npos);
}

// Lanes of one warp do not run in step either.
__global__ void missing_warp_barrier(float* out, bool with) {
  SHARED(float, row, 32);
  row[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (with) __syncwarp();
  out[threadIdx.x] = row[31 - threadIdx.x];
}

TEST_F(Emulator, WithinAWarpToo) {
  std::vector<float> out(32);
  for (const std::uint64_t seed : kSeeds) {
    const auto said = [&](bool with) {
      return failure_of([&] { LAUNCH(missing_warp_barrier, dim3(1), dim3(32), Cuda{}, out.data(), with); }, seed);
    };
    EXPECT_NE(said(false).find("race on row["), std::string::npos);
    EXPECT_EQ(said(true), "");
  }
}

__global__ void divergent_barrier() {
  if (threadIdx.x < 40) __syncthreads();  // some wait here
}

TEST_F(Emulator, NamesThoseThatMissedABarrier) {
  for (const std::uint64_t seed : kSeeds)
    EXPECT_EQ(failure_of([&] { LAUNCH(divergent_barrier, dim3(1), dim3(64), Cuda{}); }, seed),
              "block (0, 0, 0): deadlock, no thread can go on\n  threads 40-63 ended\n  threads 0-39 wait at "
              "__syncthreads, " +
                  line_of("some wait here"));
}

__global__ void two_barriers() {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
}
__global__ void missing_lanes(int* out) {
  if (threadIdx.x != 7) *out = __shfl_sync(~0U, 1, 0);  // all but lane 7
}

TEST_F(Emulator, ThreadsMustMeetAtOnePlace) {
  EXPECT_NE(
      failure_of([&] { LAUNCH(two_barriers, dim3(1), dim3(64), Cuda{}); }).find("threads meet at different barriers"),
      std::string::npos);
  int out = 0;
  for (const std::uint64_t seed : kSeeds)
    EXPECT_EQ(failure_of([&] { LAUNCH(missing_lanes, dim3(1), dim3(32), Cuda{}, &out); }, seed),
              "block (0, 0, 0): deadlock, no thread can go on\n  threads 7 ended\n  threads 0-6, 8-31 wait at "
              "__shfl_sync, " +
                  line_of("all but lane 7"));
}

__global__ void off_by_one() {
  SHARED(float, row, 32);
  row[threadIdx.x + 1] = 0;  // one too far
}
__global__ void never_written(float* out) {
  SHARED(float, row, 32);
  out[threadIdx.x] = row[threadIdx.x];
}

TEST_F(Emulator, SharedMemoryHasBordersAndNoValuesOfItsOwn) {
  for (const std::uint64_t seed : kSeeds)
    EXPECT_EQ(
        failure_of([&] { LAUNCH(off_by_one, dim3(1), dim3(32), Cuda{}); }, seed),
        "block (0, 0, 0), thread (31, 0, 0): row[32] at " + line_of("one too far") + ": the array has 32 elements");
  std::vector<float> out(32);
  LAUNCH(never_written, dim3(1), dim3(32), Cuda{}, out.data());
  for (const float value : out) EXPECT_TRUE(std::isnan(value));
}

// The sum of n values, 32 at a time. What a tile that is not full holds beyond its end is of the tile before, or
// nobody's.
__global__ void sum_of_tiles(float* sum, const float* x, int n, bool masked) {
  SHARED(float, tile, 32);
  const int lane = static_cast<int>(threadIdx.x);
  float total = 0;
  for (int begin = 0; begin < n; begin += 32) {
    if (begin + lane < n) tile[lane] = x[begin + lane];
    __syncwarp();
    const int end = masked && n - begin < 32 ? n - begin : 32;
    for (int i = 0; i < end; ++i) total += tile[i];
    __syncwarp();
  }
  if (lane == 0) *sum = total;
}

TEST_F(Emulator, AMissingMaskOnTheLastTileShowsInTheSum) {
  for (const std::uint64_t seed : kSeeds)
    for (int n = 1; n <= 97; ++n) {
      emulator::set_seed(seed);
      const std::vector<float> x(n, 1.F);
      std::vector<float> sum(2);
      for (const bool masked : {false, true})
        LAUNCH(sum_of_tiles, dim3(1), dim3(32), Cuda{}, &sum[masked], x.data(), n, masked);
      EXPECT_EQ(sum[1], n) << "seed " << seed;
      EXPECT_EQ(sum[0] == static_cast<float>(n), n % 32 == 0) << n << " values, seed " << seed;
    }
}

TEST_F(Emulator, TheFirstBlockThatFailsIsNamed) {
  const auto fails_from_3_on = [](int* seen) {
    ++*seen;
    SHARED(int, one, 1);
    if (blockIdx.x >= 3) one[1] = 0;
  };
  for (int i = 0; i < 20; ++i) {
    std::vector<int> seen(64);
    const auto kernel = [&](int* counts) { fails_from_3_on(counts + blockIdx.x); };
    EXPECT_TRUE(failure_of([&] {
                  LAUNCH(kernel, dim3(64), dim3(1), Cuda{}, seen.data());
                }).starts_with("block (3, 0, 0), thread (0, 0, 0): one[1]"));
  }
  EXPECT_NE(failure_of([&] { LAUNCH(two_barriers, dim3(1), dim3(1025), Cuda{}); }).find("1 to 1024 threads"),
            std::string::npos);
}

}  // namespace
}  // namespace lookhere
