// CUDA's atomic functions in the emulator: results, on several OS threads too, and what they do not race with.
#include <algorithm>
#include <limits>

#include "tests/kernels/cuda/emulator/failures.h"

namespace lookhere {
namespace {

using kernels::Cuda;

constexpr std::uint64_t kSeeds[] = {0, 1, 2, 3, 4, 5};

class Atomics : public Emulator {};

struct Counters {
  int sum = 0, most = 0, least = 1, exchanged = 0, often = 0;
  unsigned unsigned_sum = 0, unsigned_most = 0, unsigned_least = ~0U;
  unsigned long long long_sum = 0, power = 1;
  float float_sum = 0;
  double double_sum = 0;
};

constexpr int kTimes = 200;  // often enough that blocks meet

// All blocks at once, thread i of all of them with i + 1.
__global__ void count(Counters* to, int* before) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), value = i + 1;
  before[i] = atomicAdd(&to->sum, 1);
  atomicMax(&to->most, value), atomicMin(&to->least, -value);
  atomicAdd(&to->unsigned_sum, ~0U), atomicMax(&to->unsigned_most, ~0U - value), atomicMin(&to->unsigned_least, value);
  for (int times = 0; times < kTimes; ++times) atomicAdd(&to->often, 1);
  atomicAdd(&to->long_sum, 1ULL << 32), atomicAdd(&to->float_sum, 0.5F), atomicAdd(&to->double_sum, value);
  atomicExch(&to->exchanged, value);
  if (i >= 61) return;
  unsigned long long expected = 1;
  for (unsigned long long seen = 0; (seen = atomicCAS(&to->power, expected, 2 * expected)) != expected;)
    expected = seen;
}

TEST_F(Atomics, CountAcrossBlocksOnSeveralThreads) {
  constexpr int kBlocks = 16, kThreads = 64, kAll = kBlocks * kThreads;
  const Threads threads(4);
  for (const std::uint64_t seed : kSeeds) {
    emulator::set_seed(seed);
    Counters to;
    std::vector<int> before(kAll);
    LAUNCH(count, dim3(kBlocks), dim3(kThreads), Cuda{}, &to, before.data());
    std::ranges::sort(before);
    for (int i = 0; i < kAll; ++i) EXPECT_EQ(before[i], i);
    EXPECT_EQ(to.sum, kAll);
    EXPECT_EQ(to.often, kAll * kTimes);
    EXPECT_EQ(to.most, kAll);
    EXPECT_EQ(to.least, -kAll);
    EXPECT_EQ(to.unsigned_sum, 0U - kAll);
    EXPECT_EQ(to.unsigned_most, ~0U - 1);
    EXPECT_EQ(to.unsigned_least, 1U);
    EXPECT_EQ(to.long_sum, static_cast<unsigned long long>(kAll) << 32);
    EXPECT_EQ(to.float_sum, kAll / 2);
    EXPECT_EQ(to.double_sum, kAll * (kAll + 1) / 2);
    EXPECT_GE(to.exchanged, 1);
    EXPECT_LE(to.exchanged, kAll);
    EXPECT_EQ(to.power, 1ULL << 61);
  }
}

__global__ void return_what_was(int* out) {
  SHARED(int, one, 1);
  one[0] = 5;
  out[0] = atomicAdd(one, 2), out[1] = atomicMax(one, 6), out[2] = atomicMin(one + 0, 3), out[3] = atomicExch(one, 9);
  out[4] = atomicCAS(one, 8, 1), out[5] = atomicCAS(one, 9, std::numeric_limits<int>::max()),
  out[6] = atomicAdd(one, 1);
  out[7] = one[0];
  float real = 1;
  out[8] = static_cast<int>(atomicExch(&real, 2)), out[9] = static_cast<int>(real);
}

TEST_F(Atomics, ReturnWhatWasBefore) {
  constexpr int kMost = std::numeric_limits<int>::max();
  std::vector<int> out(10);
  LAUNCH(return_what_was, dim3(1), dim3(1), Cuda{}, out.data());
  EXPECT_EQ(out, (std::vector{5, 7, 7, 3, 9, 9, kMost, -kMost - 1, 1, 2}));
}

__global__ void histogram(int* out, bool with) {
  SHARED(int, bins, 4);
  if (threadIdx.x < 4) bins[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&bins[threadIdx.x % 3], 1);  // counted here
  if (with) __syncthreads();
  if (threadIdx.x < 3) out[threadIdx.x] = bins[threadIdx.x];  // read here
}

TEST_F(Atomics, DoNotRaceAmongThemselvesButWithReads) {
  for (const std::uint64_t seed : kSeeds) {
    std::vector<int> out(3);
    const auto said = [&](bool with) {
      return failure_of([&] { LAUNCH(histogram, dim3(1), dim3(96), Cuda{}, out.data(), with); }, seed);
    };
    EXPECT_EQ(said(true), "");
    EXPECT_EQ(out, (std::vector{32, 32, 32}));
    const std::string race = said(false);
    EXPECT_NE(race.find("race on bins["), race.npos) << race;
    EXPECT_TRUE(race.find("updated it at " + line_of("counted here")) != race.npos ||
                race.find("updates it at " + line_of("counted here")) != race.npos)
        << race;
    EXPECT_NE(race.find(line_of("read here")), race.npos) << race;
  }
}

}  // namespace
}  // namespace lookhere
