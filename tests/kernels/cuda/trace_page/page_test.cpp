// Pages: of kernels run in the emulator, whose figures are known; of long and of strange traces; and the program.
#include "kernels/cuda/trace_page/page.h"

#include <gmock/gmock.h>

#include <numeric>

#include "kernels/cuda/instructions.h"
#include "kernels/cuda/trace_page/steps.h"
#include "tests/kernels/cuda/environment.h"
#include "tests/program.h"
#include "tests/vit/show_pictures.h"

namespace lookhere {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
namespace trace_page = kernels::trace_page;

// A matrix is transposed by way of a tile in shared memory: written by rows, read by columns. Rows of 32 floats put a
// whole column into one bank; with one more float in each row, its elements are in 32 banks.
constexpr int kSide = 32;
template <int kRow>
__global__ void transpose(float* out, const float* in) {
  SHARED(float, tile, kSide* kRow);
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y), rows = static_cast<int>(blockDim.y);
  for (int r = y; r < kSide; r += rows) tile[r * kRow + x] = in[r * kSide + x];
  __syncthreads();
  for (int r = y; r < kSide; r += rows) out[r * kSide + x] = tile[x * kRow + r];
}

template <int kRow>
void expect_transposed() {
  std::vector<float> in(kSide * kSide), out(in.size());
  std::iota(in.begin(), in.end(), 0.F);
  LAUNCH(transpose<kRow>, dim3(1), dim3(kSide, 8), kernels::Cuda{}, out.data(), in.data());
  for (int i = 0; i < kSide * kSide; ++i) ASSERT_EQ(out[i], in[i % kSide * kSide + i / kSide]);
}

// An example to look at (kernels/cuda/README.md).
TEST(TracePage, TransposesWithConflicts) { expect_transposed<kSide>(); }
TEST(TracePage, TransposesWithoutConflicts) { expect_transposed<kSide + 1>(); }

// 16 rows of 16 values of 2 bytes go to the matrix units by way of shared memory; four counters say who came.
template <int kRow>
__global__ void load_tile(float* out, const std::uint16_t* in) {
  SHARED(int, counts, 4);
  SHARED_VIEW(std::uint16_t, tile, 16 * kRow, 0);
  const int lane = static_cast<int>(threadIdx.x);
  kernels::cuda::cp_async<16>(&tile[lane / 2 * kRow + lane % 2 * 8], &in[8 * lane]);
  kernels::cuda::cp_async_wait_all();
  __syncthreads();
  unsigned a[4];
  float sum[4] = {};
  kernels::cuda::ldmatrix(a, &tile[lane % 16 * kRow + lane / 16 * 8]);
  kernels::cuda::mma_m16n8k16(sum, a, a[0], a[1]);
  kernels::cuda::mma_m16n8k16(sum, a, a[2], a[3]);
  atomicAdd(&counts[lane % 4], 1);
  out[lane] = sum[0];
}

template <int kRow>
void launch_load_tile() {
  alignas(16) const std::uint16_t in[16 * 16] = {};
  float out[32];
  LAUNCH_WITH_SHARED(load_tile<kRow>, dim3(1), dim3(32), 16 * kRow * 2, kernels::Cuda{}, out, in);
}
// Another example: rows of 128 bytes begin in one bank, of 144 bytes in every fourth.
TEST(TracePage, LoadsMatricesWithConflicts) { launch_load_tile<64>(); }
TEST(TracePage, LoadsMatricesWithoutConflicts) { launch_load_tile<72>(); }

trace_page::Trace trace_of(std::uint64_t seed, void (*launch)()) {
  const TemporaryFolder folder;
  const Environment trace("LOOKHERE_TRACE", folder / "t"), kernel("LOOKHERE_TRACE_KERNEL", ""),
      block("LOOKHERE_TRACE_BLOCK", "");
  kernels::emulator::set_seed(seed);
  launch();
  kernels::emulator::set_seed(0);
  return trace_page::read_trace(read_file(folder / "t"));
}

// In any schedule: 8 warps go 4 times to each line, 32 lanes each.
TEST(TracePage, CountsWhatATranspositionCosts) {
  for (const std::uint64_t seed : {0, 1, 2, 3}) {
    const auto expect_lines = [](const trace_page::Trace& trace, int degree_of_reads) {
      const auto lines = trace_page::summaries_of(trace_page::steps_of(trace));
      ASSERT_EQ(lines.size(), 2U);
      for (const auto& line : lines) {
        const bool reads = line.kind == trace_page::Kind::read;
        EXPECT_EQ(line.accesses, 1024);
        EXPECT_EQ(line.warp_accesses, 32);
        EXPECT_EQ(line.worst, reads ? degree_of_reads : 1);
        EXPECT_DOUBLE_EQ(line.mean(), line.worst);
      }
    };
    expect_lines(trace_of(seed, expect_transposed<kSide>), 32);
    expect_lines(trace_of(seed, expect_transposed<kSide + 1>), 1);
  }
}

TEST(TracePage, ShowsWhatATranspositionCosts) {
  const std::string page = page_of(trace_of(0, expect_transposed<kSide>));
  EXPECT_EQ(xml_error(page), "");
  EXPECT_THAT(texts_outside(page), IsEmpty());
  const std::vector<std::string> words = texts(page);
  for (const char* said : {"transpose&lt;kRow&gt;",
                           "block (0, 0, 0) of a grid of 1 x 1 x 1, 256 threads (32 x 8 x 1) in 8 "
                           "warps, seed 0",
                           "Step 1 of 2", "Step 2 of 2", "warps 0-7", "drawn: warp 0", "tile[0, 1, ... 31]",
                           "tile[0, 32, ... 992]", "32-way conflict", "32 words of bank 0", "no conflict",
                           "a bank for each lane", "256 threads end.", "1024", "32.00", "1.00"})
    EXPECT_THAT(words, Contains(said));
  EXPECT_EQ(std::ranges::count(words, "32-way conflict"), 5);  // 4 times to the line, and at a glance
  EXPECT_EQ(count(page, "#conflict"), 4 * 32 + 1);             // and in the legend
  EXPECT_EQ(count(page, "#write") - count(page, "#read"), 0);
  for (const char* foreign : {"<script", "http://", "https://", "url(", "@import", "<image"})
    EXPECT_EQ(count(page, foreign), foreign == std::string("http://")) << foreign;  // the name space

  const std::string better = page_of(trace_of(0, expect_transposed<kSide + 1>));
  EXPECT_EQ(count(better, "-way conflict"), 0);
  EXPECT_EQ(count(better, "#conflict"), 1);
}

TEST(TracePage, CountsWhatLoadingMatricesCosts) {
  using trace_page::Kind;
  for (const std::uint64_t seed : {0, 1, 2, 3})
    for (const bool padded : {false, true}) {
      const auto steps = trace_page::steps_of(trace_of(seed, padded ? launch_load_tile<72> : launch_load_tile<64>));
      ASSERT_EQ(steps.size(), 2U);
      std::vector<Kind> kinds;
      for (const trace_page::Act& act : steps[1].acts) {
        EXPECT_EQ(act.lanes, ~0U);
        kinds.push_back(act.kind);
      }
      EXPECT_EQ(kinds,
                (std::vector{Kind::read, Kind::instruction, Kind::instruction, Kind::instruction, Kind::update}));
      const auto lines = trace_page::summaries_of(steps);
      ASSERT_EQ(lines.size(), 3U);
      const Kind kind_of[] = {Kind::copy, Kind::read, Kind::update};
      const int degrees[] = {padded ? 2 : 4, padded ? 1 : 8, 8};
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(lines[i].kind, kind_of[i]);
        EXPECT_EQ(lines[i].warp_accesses, 1);
        EXPECT_EQ(lines[i].worst, degrees[i]) << i;
      }
    }
}

TEST(TracePage, ShowsWhatLoadingMatricesCosts) {
  const std::string page = page_of(trace_of(0, launch_load_tile<64>));
  EXPECT_EQ(xml_error(page), "");
  EXPECT_THAT(texts_outside(page), IsEmpty());
  const std::vector<std::string> words = texts(page);
  for (const char* said :
       {"C1", "R1 A1 M3", "tile[0, 8, ... 968], 8 each", "tile[0, 64, ... 968], 8 each", "counts[0, 1, ... 3]",
        "4-way conflict", "8-way conflict", "up to 4 in each of 8 banks", "up to 8 in each of 8 banks",
        "up to 8 in each of 4 banks", "ldmatrix", "mma_m16n8k16", "32 lanes, no barrier"})
    EXPECT_THAT(words, Contains(said));
}

// A block of 1024 threads in which `steps` times all write, each warp elsewhere, and some lanes meet.
trace_page::Trace long_trace(int steps, int lines) {
  trace_page::Trace trace;
  trace.kernel = "k<T>", trace.launched = "k.cu:1", trace.failure = "it;failed";
  trace.grid = trace.block = {1, 1, 1}, trace.threads = 1024;
  trace.arrays = {{"a", 0, 4, 1 << 20}};
  for (int line = 0; line < std::max(lines, 1); ++line) trace.words.push_back(concat("k.cu:", line + 1));
  for (int step = 0; step < steps; ++step) {
    for (int line = 0; line < lines; ++line)
      for (int thread = 0; thread < 1024; ++thread)
        trace.events.push_back({trace_page::Kind::write, thread, line, 0, thread * (1 + thread / 32 + step)});
    trace.events.push_back({.kind = trace_page::Kind::release, .place = 0});
  }
  return trace;
}

TEST(TracePage, OfALongTraceHasAnEndAndSaysWhatItLacks) {
  for (const auto& [steps, lines] : {std::pair{60, 3}, {1, 600}, {5, 1}}) {
    const trace_page::Trace trace = long_trace(steps, lines);
    const std::string page = page_of(trace);
    EXPECT_EQ(xml_error(page), "");
    EXPECT_THAT(texts_outside(page), IsEmpty());
    EXPECT_LT(page.size(), 600'000U);
    EXPECT_LE(count(page, "<use "), 120 * (32 + 1 + 32) + 200);
    const std::vector<std::string> words = texts(page);
    if (steps == 60) {
      EXPECT_THAT(words, Contains("51 more steps not drawn here"));
      EXPECT_THAT(words, Contains("Not drawn: steps 3-60, with 5568 accesses and exchanges of warps"));
      EXPECT_THAT(words, Contains("Not drawn: 72 accesses and exchanges of further warps"));
    }
    if (lines == 600) {
      EXPECT_THAT(words, Contains("... and 480 more of these, no conflict"));
      EXPECT_THAT(words, Contains("Not drawn: 18600 accesses and exchanges of further warps"));
      EXPECT_THAT(words, Contains("560 more lines with no worse conflicts"));
    }
  }
  std::string barriers_alone = page_of(long_trace(100'000, 0));
  EXPECT_LT(barriers_alone.size(), 100'000U);
  EXPECT_THAT(texts(barriers_alone), Contains("Not drawn: steps 33-100000, with 0 accesses and exchanges of warps"));
}

// Warps are drawn together where they do alike and follow each other.
TEST(TracePage, DrawsWarpsThatDoAlikeOnce) {
  trace_page::Trace trace = long_trace(0, 1);
  for (int thread = 0; thread < 1024; ++thread) {
    const int warp = thread / 32;
    if (warp == 4) continue;
    const int element = warp == 7 ? 3 * (thread % 32) : thread % 32 + (warp > 8 ? warp : 0);
    trace.events.push_back({trace_page::Kind::read, thread, 0, 0, element});
  }
  const std::vector<std::string> words = texts(page_of(trace));
  for (const char* said : {"warps 0-3", "warps 5-6", "warp 7", "warps 8-31", "drawn: warp 8", "a[0, 3, ... 93]"})
    EXPECT_THAT(words, Contains(said));
  EXPECT_EQ(std::ranges::count(words, "a[0, 1, ... 31]"), 3);
  EXPECT_EQ(std::ranges::count(words, "other warps: other elements"), 1);
}

TEST(TracePage, DrawsWarpsApartThatWantMoreOrLess) {
  trace_page::Trace trace = long_trace(0, 1);
  for (const int warp : {0, 1})
    trace.events.push_back({.kind = trace_page::Kind::read, .thread = 32 * warp, .value = 8, .count = 1 + warp});
  const std::vector<std::string> words = texts(page_of(trace));
  EXPECT_THAT(words, Contains("a[8]"));
  EXPECT_THAT(words, Contains("a[8], 2 each"));
}

// Of what a line does again and again some are drawn and all are counted.
TEST(TracePage, LoopsAreCutShort) {
  trace_page::Trace trace = long_trace(0, 1);
  trace.threads = 1;
  for (int round = 0; round < 6; ++round) {
    trace.events.insert(trace.events.end(), 2, {trace_page::Kind::exchange, 0, 0, 0, 1});
    trace.events.push_back({trace_page::Kind::read, 0, 0, 0, round});
  }
  const std::vector<std::string> words = texts(page_of(trace));
  EXPECT_EQ(std::ranges::count(words, "k.cu:1, 2 times"), 4);
  EXPECT_THAT(words, Contains("a[3]"));
  EXPECT_THAT(words, testing::Not(Contains("a[4]")));
  EXPECT_THAT(words, Contains("... and 6 more of these, no conflict"));
}

// Names from strangers can neither break the page nor leave it.
TEST(TracePage, StandsAnyName) {
  trace_page::Trace trace = long_trace(1, 2);
  trace.kernel = trace.launched = trace.failure = trace.arrays[0].name = std::string(5000, 'W') + "<&>\"'\xff\x01;";
  trace.words = {trace.kernel, std::string(300, '<')};
  const std::string page = page_of(trace);
  EXPECT_EQ(xml_error(page), "");
  for (const std::string& words : texts(page)) EXPECT_LT(unescaped(words).size(), 170U);
  EXPECT_LT(page.size(), 600'000U);
}

class TracePageProgram : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(program.program)) GTEST_SKIP() << "trace_page is not built";
  }
  TemporaryFolder folder;
  Surroundings program{.program = built("trace_page")};
};

TEST_F(TracePageProgram, DrawsOrSaysInOneLineWhatIsWrong) {
  const std::string trace = folder / "t", page = folder / "p.svg";
  const auto expect_refusal = [&](const Words& arguments, int code, const std::string& says) {
    const Finished end = run_program(arguments, program);
    EXPECT_EQ(end.code, code);
    EXPECT_EQ(end.err, "trace_page: " + says + "\n");
    EXPECT_FALSE(std::filesystem::exists(page));
  };
  expect_refusal({trace, page}, 1, "cannot read " + trace + ": No such file or directory");
  expect_refusal({folder.path().string(), page}, 1, "cannot read " + folder.path().string() + ": Is a directory");
  expect_refusal({trace}, 2, "wanted a trace and a page, got 1 words; usage: trace_page TRACE PAGE.svg");
  write_file(trace, "lookhere trace 1\nkernel");
  expect_refusal({trace, page}, 1, trace + ":2: wanted the end of this line, got the end of the file");
  write_file(trace,
             "lookhere trace 1\nkernel k\nlaunched k.cu:1\ngrid 1 1 1\nblock 1 1 1\nindex 0 0 0\nseed 0\nend 0\n");
  expect_refusal({trace, folder / "none/p"}, 1, "cannot write " + folder / "none/p" + ": No such file or directory");
  program.file_size_limit = 1000, program.ignored = {SIGXFSZ};
  expect_refusal({trace, page}, 1, "cannot write " + page + ": File too large");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  program.file_size_limit = 0;
  EXPECT_EQ(run_program({trace, page}, program).code, 0);
  EXPECT_EQ(read_file(page), page_of(trace_page::read_trace(read_file(trace))));
}

}  // namespace
}  // namespace lookhere
