// Traces: what they hold, letter by letter, whose they are, and that a mistake in what is asked for ends in one line.
#include "kernels/cuda/emulator/trace.h"

#include <set>

#include "kernels/cuda/cuda.h"
#include "tests/kernels/cuda/environment.h"

namespace lookhere {
namespace {

using kernels::Cuda;
namespace emulator = kernels::emulator;

// The line of this file that holds `text`, as a trace says it.
std::string line_of(const std::string& text) {
  std::istringstream lines(read_file("tests/kernels/cuda/emulator/trace_test.cpp"));
  long number = 0;
  for (std::string line; std::getline(lines, line);)
    if (++number, line.find("// " + text) != line.npos) return concat("trace_test.cpp:", number);
  return "no such line";
}

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

TEST(Trace, HoldsEveryEventInOrder) {
  const TemporaryFolder folder;
  const Environment trace("LOOKHERE_TRACE", folder / "t");
  launch_neighbours();
  const std::string fills = line_of("fills"), meet = line_of("meet"), takes = line_of("takes"),
                    swaps = line_of("swaps"), marks = line_of("marks"), starts = line_of("starts");
  EXPECT_EQ(
      read_file(folder / "t"),
      concat("lookhere trace 1\nkernel neighbours\nlaunched ", starts,
             "\ngrid 1 1 1\nblock 2 1 1\nindex 0 0 0\nseed 0\narray 0 0 1 3 flags\narray 1 8 8 2 row\n",
             "write 0 1 0 8 ", fills, "\nbarrier 0 ", meet, "\nwrite 1 1 1 16 ", fills, "\nbarrier 1 ", meet,
             "\nrelease ", meet, "\nread 1 1 0 8 ", takes, "\nexchange 1 3 __shfl_xor_sync ", swaps, "\nread 0 1 1 16 ",
             takes, "\nexchange 0 3 __shfl_xor_sync ", swaps, "\nwrite 0 0 2 2 ", marks, "\ndone 0\ndone 1\nend 14\n"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);  // nothing is left beside it
}

__global__ void says_where(int* at) { at[blockIdx.x + 2 * blockIdx.y + 6 * blockIdx.z] = 1; }
__global__ void another() { __syncwarp(1U); }

TEST(Trace, IsOfTheLaunchAndBlockAskedFor) {
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

template <class F>
std::string failure_of(F f) {
  try {
    f();
  } catch (const emulator::Failure& failure) {
    return failure.what();
  }
  return "";
}

TEST(Trace, RefusesWhatCannotBeHadInOneLine) {
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

TEST(Trace, OfALaunchThatFailsHoldsTheReport) {
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
TEST(Trace, IsWholeOrIsNot) {
  const TemporaryFolder folder;
  const Threads one(1);
  const Environment trace("LOOKHERE_TRACE", folder / "t"), block("LOOKHERE_TRACE_BLOCK", "1,0,0");
  EXPECT_NE(failure_of([] { LAUNCH(misses_barrier, dim3(2), dim3(2), Cuda{}); }), "");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Trace, SaysAtTheEndIfNoKernelHadTheName) {
  const TemporaryFolder folder;
  const Environment trace("LOOKHERE_TRACE", folder / "t"), kernel("LOOKHERE_TRACE_KERNEL", "nobody");
  EXPECT_EXIT((launch_neighbours(), std::exit(0)), testing::ExitedWithCode(0),
              "no kernel with nobody in its name was launched, only .*neighbours");
}

}  // namespace
}  // namespace lookhere
