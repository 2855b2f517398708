// Shared memory in the emulator: views of what a launch gives, who is in conflict with whom, and what it refuses.
#include <random>

#include "tests/kernels/cuda/emulator/failures.h"

namespace lookhere {
namespace {

using kernels::bf16;
using kernels::Cuda;
using kernels::cuda::SharedPointer;

constexpr std::uint64_t kSeeds[] = {0, 1, 2, 3, 4, 5};

class SharedMemory : public Emulator {};

__device__ float sum_of(SharedPointer<float> values, long count) {
  float sum = 0;
  for (long i = 0; i < count; ++i) sum += values[i];
  return sum;
}

// A row of `size` values, known at the launch only, and behind it its squares.
__global__ void reversed(float* out, const float* x, int size) {
  SHARED_VIEW(float, row, size, 0);
  SHARED_VIEW(float, squares, size, size * sizeof(float));
  const int i = static_cast<int>(threadIdx.x);
  SharedPointer<float> squared = squares;
  squared += i;
  row[i] = x[i], squared[0] = x[i] * x[i];
  __syncthreads();
  out[i] = row[size - 1 - i] + sum_of(squares, size);
  if (i > 0) out[i] += sum_of(&row[1], i) - sum_of(row + 1, i);
}

TEST_F(SharedMemory, HasASizeThatIsKnownAtTheLaunch) {
  for (const std::uint64_t seed : kSeeds)
    for (const int size : {4, 32, 60, 256}) {
      emulator::set_seed(seed);
      std::vector<float> x, out(size);
      float squares = 0;
      for (int i = 0; i < size; ++i) x.push_back(static_cast<float>(i % 5)), squares += x[i] * x[i];
      const long bytes = 2 * size * static_cast<long>(sizeof(float));
      LAUNCH_WITH_SHARED(reversed, dim3(1), dim3(size), bytes, Cuda{}, out.data(), x.data(), size);
      for (int i = 0; i < size; ++i) EXPECT_EQ(out[i], x[size - 1 - i] + squares) << size << ", seed " << seed;
    }
}

__global__ void viewed_twice(unsigned* out, float* values, bool with) {
  SHARED_VIEW(bf16, elements, 64, 16);
  SHARED_VIEW(unsigned, pairs, 32, 16);
  const int i = static_cast<int>(threadIdx.x);
  values[i] = static_cast<float>(elements[i]);
  elements[i] = bf16(static_cast<float>(i));  // one element of a pair
  if (with) __syncthreads();
  if (i < 32) out[i] = pairs[i];  // both of them
}

TEST_F(SharedMemory, IsViewedAsSeveralTypes) {
  std::vector<unsigned> out(32);
  std::vector<float> values(64);
  for (const std::uint64_t seed : kSeeds) {
    const auto launch = [&](bool with) {
      return failure_of(
          [&] { LAUNCH_WITH_SHARED(viewed_twice, dim3(1), dim3(64), 144, Cuda{}, out.data(), values.data(), with); },
          seed);
    };
    EXPECT_EQ(launch(true), "");
    for (unsigned i = 0; i < 32; ++i)
      EXPECT_EQ(out[i],
                bf16(static_cast<float>(2 * i)).bits | unsigned{bf16(static_cast<float>(2 * i + 1)).bits} << 16);
    for (const float value : values) EXPECT_TRUE(std::isnan(value));
    const std::string said = launch(false);
    EXPECT_NE(said.find("race on "), said.npos) << said;
    EXPECT_NE(said.find(line_of("one element of a pair")), said.npos) << said;
    EXPECT_NE(said.find(line_of("both of them")), said.npos) << said;
  }
}

__global__ void view(int size, int byte, int index) {
  SHARED_VIEW(float, row, size, byte);  // a view
  row[index] = 1;                       // an element of it
}

TEST_F(SharedMemory, RefusesWhatIsOutside) {
  const auto said = [](int bytes, int size, int byte, int index) {
    return failure_of([&] { LAUNCH_WITH_SHARED(view, dim3(1), dim3(1), bytes, Cuda{}, size, byte, index); });
  };
  const std::string at = "block (0, 0, 0), thread (0, 0, 0): row at " + line_of("a view") + " begins at byte ";
  EXPECT_EQ(said(128, 16, 64, 15), "");
  EXPECT_EQ(said(128, 16, 72, 0), at + "72, which is no multiple of 16");
  EXPECT_EQ(said(128, 16, -16, 0), at + "-16, which is no multiple of 16 from 0 on");
  EXPECT_EQ(said(127, 16, 64, 0), at + "64 and has 64 bytes: the launch gives the block 127");
  EXPECT_EQ(failure_of([] { LAUNCH(view, dim3(1), dim3(1), Cuda{}, 1, 0, 0); }),
            at + "0 and has 4 bytes: the launch gives the block 0");
  for (const int index : {-1, 16})  // within the memory of the launch, though
    EXPECT_EQ(said(192, 16, 64, index), concat("block (0, 0, 0), thread (0, 0, 0): row[", index, "] at ",
                                               line_of("an element of it"), ": the array has 16 elements"));
  EXPECT_EQ(said(227 * 1024, 16, 0, 0), "");
  EXPECT_EQ(said(227 * 1024 + 1, 16, 0, 0), "a block has 0 to 232448 bytes of shared memory, wanted 232449");
}

// -- who is in conflict with whom
// --------------------------------------------------------------------------------------

enum class Step { read, write, update, warp_barrier, barrier };

constexpr int kWarps = 3, kActive = 2;  // the other lanes of a warp only come to barriers
struct Program {
  std::vector<Step> steps[kWarps][kActive];
};

// All threads have the same barriers, those of a warp also the same warp barriers.
Program random_program(std::mt19937& random) {
  Program program;
  const auto draw = [&](int n) { return static_cast<int>(random() % n); };
  const bool one_warp = draw(2) == 0;
  for (int phase = 0; phase < 2; ++phase) {
    const Step favourite = draw(2) ? Step::read : Step::update;
    for (int warp = 0; warp < kWarps; ++warp) {
      for (int part = 0; part < 2; ++part)
        for (int lane = 0; lane < kActive; ++lane) {
          std::vector<Step>& steps = program.steps[warp][lane];
          for (int count = one_warp && warp ? 0 : draw(4) / 3 + draw(2); count > 0; --count)
            steps.push_back(draw(12) ? favourite : static_cast<Step>(draw(3)));
          steps.push_back(part == 0 ? Step::warp_barrier : Step::barrier);
        }
    }
  }
  return program;
}

struct Access {
  int thread, phase, part;
  Step step;
};

bool has_race(const Program& program) {
  std::vector<Access> accesses;
  for (int warp = 0; warp < kWarps; ++warp)
    for (int lane = 0; lane < kActive; ++lane) {
      int phase = 0, part = 0;
      for (const Step step : program.steps[warp][lane])
        if (step == Step::barrier)
          ++phase;
        else if (step == Step::warp_barrier)
          ++part;
        else
          accesses.push_back({32 * warp + lane, phase, part, step});
    }
  for (const Access& a : accesses)
    for (const Access& b : accesses) {
      const bool commute = a.step == b.step && a.step != Step::write;
      const bool ordered = a.phase != b.phase || (a.thread / 32 == b.thread / 32 && a.part != b.part);
      if (a.thread != b.thread && !commute && !ordered) return true;
    }
  return false;
}

__global__ void carry_out(const Program* program, int* sum) {
  SHARED(int, cell, 1);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  for (const Step step : program->steps[warp][lane < kActive ? lane : 0])
    if (step == Step::barrier)
      __syncthreads();
    else if (step == Step::warp_barrier)
      __syncwarp();
    else if (lane >= kActive)
      continue;
    else if (step == Step::read)
      *sum += cell[0] & 1;
    else if (step == Step::write)
      cell[0] = lane;
    else
      atomicAdd(&cell[0], 1);
}

// Just those programs fail that have two uses of which no barrier says which is first, whatever the order they run in.
TEST_F(SharedMemory, FindsRacesAndNothingElse) {
  std::mt19937 random(1);
  int races = 0, sum = 0;
  constexpr int kPrograms = 400;
  for (int i = 0; i < kPrograms; ++i) {
    const Program program = random_program(random);
    const bool race = has_race(program);
    races += race;
    for (const std::uint64_t seed : {0, 1, 2}) {
      const std::string said =
          failure_of([&] { LAUNCH(carry_out, dim3(1), dim3(32 * kWarps), Cuda{}, &program, &sum); }, seed);
      EXPECT_EQ(said.find("race on cell[0]") != said.npos, race) << i << ", seed " << seed << ": " << said;
      EXPECT_EQ(said.empty(), !race) << said;
    }
  }
  EXPECT_GT(races, kPrograms / 4);
  EXPECT_LT(races, kPrograms * 3 / 4);
}

}  // namespace
}  // namespace lookhere
