// Traces: what they hold, letter by letter, whose they are, and that a mistake in what is asked for ends in one line.
#include "kernels/cuda/emulator/trace.h"

#include "kernels/cuda/instructions.h"
#include "tests/kernels/cuda/emulator/failures.h"
#include "tests/kernels/cuda/environment.h"

namespace lookhere {
namespace {

using kernels::Cuda;
namespace cuda = kernels::cuda;

class Trace : public Emulator {};

__global__ void neighbours(double* out) {
  SHARED(char, flags, 3);
  SHARED(double, row, 2);
  row[threadIdx.x] = 1;                     // fills
  __syncthreads();                          // meet
  out[threadIdx.x] = row[1 - threadIdx.x];  // takes
  __shfl_xor_sync(3U, 1, 1);                // swaps
  if (threadIdx.x == 0) flags[2] = 1;       // marks
}

void launch_neighbours(dim3 grid = {1}) {
  double out[2];
  LAUNCH(neighbours, grid, dim3(2), Cuda{}, out);  // starts
}

TEST_F(Trace, HoldsEveryEventInOrder) {
  const TemporaryFolder folder;
  const Environment trace("LOOKHERE_TRACE", folder / "t");
  launch_neighbours();
  const std::string fills = line_of("fills"), meet = line_of("meet"), takes = line_of("takes"),
                    swaps = line_of("swaps"), marks = line_of("marks"), starts = line_of("starts");
  EXPECT_EQ(read_file(folder / "t"),
            concat("lookhere trace 1\nkernel neighbours\nlaunched ", starts,
                   "\ngrid 1 1 1\nblock 2 1 1\nindex 0 0 0\nseed 0\narray 0 0 1 3 flags\narray 1 16 8 2 row\n",
                   "write 0 1 0 1 16 ", fills, "\nbarrier 0 ", meet, "\nwrite 1 1 1 1 24 ", fills, "\nbarrier 1 ", meet,
                   "\nrelease ", meet, "\nread 1 1 0 1 16 ", takes, "\nexchange 1 3 __shfl_xor_sync ", swaps,
                   "\nread 0 1 1 1 24 ", takes, "\nexchange 0 3 __shfl_xor_sync ", swaps, "\nwrite 0 0 2 1 2 ", marks,
                   "\ndone 0\ndone 1\nend 14\n"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);  // nothing is left beside it
}

// Two views of the same bytes behind an array, and whatever else uses them.
__global__ void instructions(float* out, const float* x) {
  SHARED(int, users, 1);
  SHARED_VIEW(float, floats, 128, 32);
  SHARED_VIEW(std::uint16_t, halves, 256, 32);
  SHARED_VIEW(double, none, 0, 16);
  static_cast<void>(none);
  const int i = static_cast<int>(threadIdx.x);
  cuda::cp_async<16>(&floats[4 * i], &x[4 * i]);  // copies
  cuda::cp_async_wait_all();
  __syncwarp();  // gathers
  unsigned b[2], a[4] = {};
  cuda::ldmatrix(b, &halves[8 * i]);  // loads
  float sum[4] = {};
  cuda::mma_m16n8k16(sum, a, b[0], b[1]);  // multiplies
  atomicAdd(users, 1);                     // counts
  out[i] = sum[0];
}

// What one thread did, whatever the schedule. The rows of two matrices are lanes 0 to 15's.
TEST_F(Trace, HoldsInstructionsAndAtomics) {
  alignas(16) const float x[128] = {};
  float out[32];
  for (const std::uint64_t seed : {0, 1, 2, 3}) {
    const TemporaryFolder folder;
    const Environment trace("LOOKHERE_TRACE", folder / "t");
    const auto launch = [&] {
      LAUNCH_WITH_SHARED(instructions, dim3(1), dim3(32), 544, Cuda{}, out, x);  // begins
    };
    EXPECT_EQ(failure_of(launch, seed), "");
    const std::string text = read_file(folder / "t");
    EXPECT_NE(text.find(concat("\nkernel instructions\nlaunched ", line_of("begins"), "\n")), text.npos) << text;
    EXPECT_NE(text.find(concat("\nseed ", seed, "\narray 0 0 4 1 users\narray 1 48 4 128 floats\n",
                               "array 2 48 2 256 halves\narray 3 32 8 0 none\n")),
              text.npos)
        << text;
    for (const int thread : {15, 16}) {
      std::string did;
      std::istringstream lines(text);
      for (std::string line; std::getline(lines, line);)
        if (line.find(concat(" ", thread, " ")) == line.find(' ') || line == concat("done ", thread))
          did += line + "\n";
      const std::string loads = line_of("loads");
      EXPECT_EQ(did, concat("copy ", thread, " 1 ", 4 * thread, " 4 ", 48 + 16 * thread, " ", line_of("copies"),
                            "\nexchange ", thread, " ffffffff __syncwarp ", line_of("gathers"), "\n",
                            thread < 16 ? concat("read ", thread, " 2 120 8 288 ", loads, "\n") : "", "instruction ",
                            thread, " ffffffff ldmatrix ", loads, "\ninstruction ", thread, " ffffffff mma_m16n8k16 ",
                            line_of("multiplies"), "\nupdate ", thread, " 0 0 1 0 ", line_of("counts"), "\ndone ",
                            thread, "\n"));
    }
  }
}

__global__ void says_where(int* at) { at[blockIdx.x + 2 * blockIdx.y + 6 * blockIdx.z] = 1; }
__global__ void another() { __syncwarp(1U); }

TEST_F(Trace, IsOfTheLaunchAndBlockAskedFor) {
  const TemporaryFolder folder;
  const Environment trace("LOOKHERE_TRACE", folder / "t"), kernel("LOOKHERE_TRACE_KERNEL", "s_wh"),
      block("LOOKHERE_TRACE_BLOCK", "1,2,3");
  int at[24] = {};
  LAUNCH(another, dim3(1), dim3(1), Cuda{});
  EXPECT_FALSE(std::filesystem::exists(folder / "t"));
  emulator::set_seed(7);
  LAUNCH(says_where, dim3(2, 3, 4), dim3(1), Cuda{}, at);
  emulator::set_seed(0);
  const std::string first = read_file(folder / "t");
  EXPECT_NE(first.find("kernel says_where\n"), first.npos);
  EXPECT_NE(first.find("grid 2 3 4\nblock 1 1 1\nindex 1 2 3\nseed 7\ndone 0\nend 1\n"), first.npos);
  LAUNCH(says_where, dim3(9, 9, 9), dim3(1), Cuda{}, std::vector<int>(999).data());
  EXPECT_EQ(read_file(folder / "t"), first);  // the first launch alone
}

TEST_F(Trace, RefusesWhatCannotBeHadInOneLine) {
  const TemporaryFolder folder;
  const Environment trace("LOOKHERE_TRACE", folder / "t");
  for (const char* bad : {"0", "0,0", "0,0,", "0,0,0,", "0,0,0,0", "-1,0,0", "0, 0,0", "x,0,0", "2,0,0", "0,3,0",
                          "0,0,1", "99999999999,0,0", " 0,0,0", "0;0;0"}) {
    const Environment block("LOOKHERE_TRACE_BLOCK", bad);
    EXPECT_EQ(failure_of([] {
                launch_neighbours({2, 3});
              }),
              concat("LOOKHERE_TRACE_BLOCK: wanted x,y,z of a block in a grid of 2 x 3 x 1, got ", bad));
  }
  for (const auto& [path, why] :
       {std::pair{folder / "none/t", "No such file or directory"}, {folder.path().string(), "not a regular file"}}) {
    const Environment bad("LOOKHERE_TRACE", path);
    EXPECT_EQ(failure_of([] { launch_neighbours(); }), concat("LOOKHERE_TRACE: cannot write ", path, ": ", why));
  }
  const Environment full("LOOKHERE_TRACE", "");  // nothing asked for
  launch_neighbours();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

__global__ void misses_barrier() {
  SHARED(int, one, 1);
  if (threadIdx.x == 1) __syncthreads();  // waits
  if (blockIdx.x > 0) one[1] = 0;
}

TEST_F(Trace, OfALaunchThatFailsHoldsTheReport) {
  const TemporaryFolder folder;
  const Environment trace("LOOKHERE_TRACE", folder / "t");
  EXPECT_NE(failure_of([] { LAUNCH(misses_barrier, dim3(1), dim3(2), Cuda{}); }), "");
  const std::string text = read_file(folder / "t"), waits = line_of("waits");
  const std::string want =
      concat("seed 0\narray 0 0 4 1 one\ndone 0\nbarrier 1 ", waits,
             "\nfailed block (0, 0, 0): deadlock, no thread can go on;  threads 0 ended;  threads 1 wait at ",
             "__syncthreads, ", waits, "\nend 4\n");
  EXPECT_TRUE(text.ends_with(want)) << text;
}

// Of a block that another one's failure keeps from running there is none.
TEST_F(Trace, IsWholeOrIsNot) {
  const TemporaryFolder folder;
  const Threads one(1);
  const Environment trace("LOOKHERE_TRACE", folder / "t"), block("LOOKHERE_TRACE_BLOCK", "1,0,0");
  EXPECT_NE(failure_of([] { LAUNCH(misses_barrier, dim3(2), dim3(2), Cuda{}); }), "");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST_F(Trace, SaysAtTheEndIfNoKernelHadTheName) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";  // OpenMP's threads are there
  const Environment trace("LOOKHERE_TRACE", "none/t"), kernel("LOOKHERE_TRACE_KERNEL", "nobody");
  EXPECT_EXIT((launch_neighbours(), std::exit(0)), testing::ExitedWithCode(0),
              "no kernel with nobody in its name was launched, only .*neighbours");
}

}  // namespace
}  // namespace lookhere
