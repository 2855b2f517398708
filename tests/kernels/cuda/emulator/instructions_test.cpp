// kernels/cuda/instructions.h against plain host code on random operands: copies, matrices, products.
#include "kernels/cuda/instructions.h"

#include <random>

#include "tests/kernels/cuda/emulator/failures.h"

namespace lookhere {
namespace {

using kernels::bf16;
using kernels::Cuda;
namespace cuda = kernels::cuda;
using cuda::Place;

constexpr std::uint64_t kSeeds[] = {0, 1, 2, 3, 4, 5};

class Instructions : public Emulator {
 protected:
  std::mt19937 random_{1};
  float draw() { return std::uniform_real_distribution<float>(-1, 1)(random_); }
  std::vector<std::uint16_t> draw_bits(std::size_t count) {
    std::vector<std::uint16_t> bits(count);
    for (auto& b : bits) b = static_cast<std::uint16_t>(random_());
    return bits;
  }
};

// -- copies ----------------------------------------------------------------------------------------------------------

// Every thread copies kBytes from its own place, source_bytes[thread] of them, the threads' results one after another.
template <int kBytes>
__global__ void copy(std::uint16_t* out, const std::uint16_t* const* from, const int* source_bytes) {
  constexpr int kEach = kBytes / 2;
  SHARED(std::uint16_t, copied, 64 * kEach);
  const int i = static_cast<int>(threadIdx.x);
  cuda::cp_async<kBytes>(&copied[i * kEach], from[i], source_bytes[i]);
  cuda::cp_async_commit();
  cuda::cp_async_wait<0>();
  __syncthreads();
  for (int e = i; e < 64 * kEach; e += 64) out[e] = copied[e];
}

template <int kBytes>
void expect_copies(std::mt19937& random) {
  constexpr int kEach = kBytes / 2;
  for (const std::uint64_t seed : kSeeds) {
    emulator::set_seed(seed);
    std::vector<std::vector<std::uint16_t>> sources;  // each as long as is read of it, so that a sanitizer sees more
    std::vector<const std::uint16_t*> from;
    std::vector<int> source_bytes;
    std::vector<std::uint16_t> want(64 * kEach), out(64 * kEach);
    for (int i = 0; i < 64; ++i) {
      const int elements = i < 16 ? kEach : static_cast<int>(random() % (kEach + 1));
      sources.emplace_back(elements);
      for (int e = 0; e < elements; ++e) want[i * kEach + e] = sources.back()[e] = static_cast<std::uint16_t>(random());
      from.push_back(sources.back().data()), source_bytes.push_back(2 * elements);
    }
    LAUNCH(copy<kBytes>, dim3(1), dim3(64), Cuda{}, out.data(), from.data(), source_bytes.data());
    EXPECT_EQ(out, want) << kBytes << " bytes, seed " << seed;
  }
}

TEST_F(Instructions, CopiesOf16And8And4BytesEndInZeros) {
  expect_copies<16>(random_);
  expect_copies<8>(random_);
  expect_copies<4>(random_);
}

// -- ldmatrix --------------------------------------------------------------------------------------------------------

constexpr int kRows = 48, kStride = 24;  // of 2-byte elements: rows of 8 begin at any multiple of 8

template <int kMatrices, bool kTransposed>
__global__ void load(unsigned* out, const std::uint16_t* x, const int* rows) {
  SHARED(std::uint16_t, matrix, kRows * kStride);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < kRows * kStride; i += 32) matrix[i] = x[i];
  __syncthreads();
  unsigned registers[kMatrices];
  if constexpr (kTransposed)
    cuda::ldmatrix_transposed(registers, &matrix[rows[lane]]);
  else
    cuda::ldmatrix(registers, &matrix[rows[lane]]);
  for (int m = 0; m < kMatrices; ++m) out[m * 32 + lane] = registers[m];
}

template <int kMatrices, bool kTransposed>
void expect_matrices(const std::vector<std::uint16_t>& x, std::mt19937& random) {
  for (const std::uint64_t seed : kSeeds) {
    emulator::set_seed(seed);
    std::vector<int> rows(32, -1000);  // what the other lanes give is not looked at
    for (int i = 0; i < 8 * kMatrices; ++i) rows[i] = static_cast<int>(random() % (kRows * kStride / 8)) * 8;
    std::vector<unsigned> out(32 * kMatrices);
    const auto kernel = load<kMatrices, kTransposed>;
    LAUNCH(kernel, dim3(1), dim3(32), Cuda{}, out.data(), x.data(), rows.data());
    for (int m = 0; m < kMatrices; ++m)
      for (int lane = 0; lane < 32; ++lane)
        for (int half = 0; half < 2; ++half) {
          const int row = kTransposed ? lane % 4 * 2 + half : lane / 4,
                    column = kTransposed ? lane / 4 : lane % 4 * 2 + half;
          EXPECT_EQ(out[m * 32 + lane] >> 16 * half & 0xFFFFU, x[rows[8 * m + row] + column])
              << "matrix " << m << " of " << kMatrices << ", lane " << lane << (kTransposed ? ", transposed" : "");
        }
  }
}

TEST_F(Instructions, LoadsMatricesOf8By8) {
  const std::vector<std::uint16_t> x = draw_bits(kRows * kStride);
  expect_matrices<1, false>(x, random_), expect_matrices<2, false>(x, random_), expect_matrices<4, false>(x, random_);
  expect_matrices<1, true>(x, random_), expect_matrices<2, true>(x, random_), expect_matrices<4, true>(x, random_);
}

// -- fragments -------------------------------------------------------------------------------------------------------

void expect_place(const Place& got, int row, int column) {
  EXPECT_EQ(got.row, row);
  EXPECT_EQ(got.column, column);
}
// Each of rows × columns elements is one lane's.
template <class F>
void expect_all_places(F place, int each, int rows, int columns) {
  std::vector<int> seen(rows * columns);
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < each; ++i) {
      const Place at = place(lane, i);
      ++seen.at(at.row * columns + at.column);
    }
  for (const int count : seen) EXPECT_EQ(count, 1);
}

// Places read off the figures of the PTX ISA.
TEST_F(Instructions, KnowsWhoHoldsWhichElement) {
  using namespace cuda::m16n8k16;
  expect_place(place_in_a(5, 1), 1, 3), expect_place(place_in_a(5, 2), 9, 2);
  expect_place(place_in_a(5, 4), 1, 10), expect_place(place_in_a(31, 7), 15, 15);
  expect_place(place_in_b(5, 1), 3, 1), expect_place(place_in_b(30, 2), 12, 7);
  expect_place(place_in_sum(5, 1), 1, 3), expect_place(place_in_sum(31, 2), 15, 6);
  expect_place(cuda::m16n8k8::place_in_a(5, 1), 9, 1), expect_place(cuda::m16n8k8::place_in_a(5, 2), 1, 5);
  expect_place(cuda::m16n8k8::place_in_b(30, 1), 6, 7);
  expect_all_places(place_in_a, 8, 16, 16), expect_all_places(place_in_b, 4, 16, 8);
  expect_all_places(place_in_sum, 4, 16, 8);
  expect_all_places(cuda::m16n8k8::place_in_a, 4, 16, 8), expect_all_places(cuda::m16n8k8::place_in_b, 2, 8, 8);
}

// -- products --------------------------------------------------------------------------------------------------------

struct Product {
  float* sum;         // (16, 8) in and out
  const bf16 *a, *b;  // (16, 16), (16, 8)
};

// Operands element by element, as the places say.
__global__ void multiply_by_places(Product p) {
  using namespace cuda::m16n8k16;
  const int lane = static_cast<int>(threadIdx.x);
  unsigned a[4] = {}, b[2] = {};
  float sum[4];
  for (int i = 0; i < 8; ++i) {
    const Place at = place_in_a(lane, i);
    a[i / 2] |= unsigned{p.a[at.row * 16 + at.column].bits} << 16 * (i % 2);
  }
  for (int i = 0; i < 4; ++i) {
    const Place at = place_in_b(lane, i), to = place_in_sum(lane, i);
    b[i / 2] |= unsigned{p.b[at.row * 8 + at.column].bits} << 16 * (i % 2);
    sum[i] = p.sum[to.row * 8 + to.column];
  }
  cuda::mma_m16n8k16(sum, a, b[0], b[1]);
  for (int i = 0; i < 4; ++i) p.sum[place_in_sum(lane, i).row * 8 + place_in_sum(lane, i).column] = sum[i];
}

// As kernels do it: tiles in shared memory, from where ldmatrix gives each lane its elements. b by rows is loaded
// transposed; by columns, as it is.
__global__ void multiply_by_ldmatrix(Product p, bool columns) {
  SHARED_VIEW(bf16, left, 256, 0);
  SHARED_VIEW(bf16, right, 128, 512);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 256; i += 32) left[i] = p.a[i];
  for (int i = lane; i < 128; i += 32) right[columns ? i % 8 * 16 + i / 8 : i] = p.b[i];
  __syncwarp();
  unsigned a[4], b[2];
  cuda::ldmatrix(a, &left[lane % 16 * 16 + lane / 16 * 8]);
  if (columns)
    cuda::ldmatrix(b, &right[lane % 8 * 16 + lane / 8 % 2 * 8]);
  else
    cuda::ldmatrix_transposed(b, &right[lane % 16 * 8]);
  float sum[4];
  for (int i = 0; i < 4; ++i) {
    const Place at = cuda::m16n8k16::place_in_sum(lane, i);
    sum[i] = p.sum[at.row * 8 + at.column];
  }
  cuda::mma_m16n8k16(sum, a, b[0], b[1]);
  for (int i = 0; i < 4; ++i) {
    const Place at = cuda::m16n8k16::place_in_sum(lane, i);
    p.sum[at.row * 8 + at.column] = sum[i];
  }
}

TEST_F(Instructions, MultipliesBf16AsADoubleSumDoes) {
  for (const std::uint64_t seed : kSeeds) {
    emulator::set_seed(seed);
    std::vector<bf16> a, b;
    std::vector<float> before;
    for (int i = 0; i < 256; ++i) a.emplace_back(draw());
    for (int i = 0; i < 128; ++i) b.emplace_back(draw()), before.push_back(draw());
    std::vector<float> by_places = before, by_rows = before, by_columns = before;
    LAUNCH(multiply_by_places, dim3(1), dim3(32), Cuda{}, {by_places.data(), a.data(), b.data()});
    LAUNCH_WITH_SHARED(multiply_by_ldmatrix, dim3(1), dim3(32), 768, Cuda{}, {by_rows.data(), a.data(), b.data()},
                       false);
    LAUNCH_WITH_SHARED(multiply_by_ldmatrix, dim3(1), dim3(32), 768, Cuda{}, {by_columns.data(), a.data(), b.data()},
                       true);
    for (int i = 0; i < 128; ++i) {
      double want = before[i];
      for (int k = 0; k < 16; ++k)
        want += double{static_cast<float>(a[i / 8 * 16 + k])} * static_cast<float>(b[k * 8 + i % 8]);
      EXPECT_NEAR(by_places[i], want, 2e-6) << i;
    }
    EXPECT_EQ(by_rows, by_places);
    EXPECT_EQ(by_columns, by_places);
  }
}

__global__ void multiply_tf32(float* sums, const float* left, const float* right) {
  using namespace cuda::m16n8k8;
  const int lane = static_cast<int>(threadIdx.x);
  unsigned a[4], b[2];
  float sum[4];
  constexpr unsigned kIgnored = 0x1FFF;
  for (int i = 0; i < 4; ++i)
    a[i] = kIgnored | cuda::to_tf32(left[place_in_a(lane, i).row * 8 + place_in_a(lane, i).column]);
  for (int i = 0; i < 2; ++i) b[i] = cuda::to_tf32(right[place_in_b(lane, i).row * 8 + place_in_b(lane, i).column]);
  for (int i = 0; i < 4; ++i) sum[i] = sums[place_in_sum(lane, i).row * 8 + place_in_sum(lane, i).column];
  cuda::mma_m16n8k8(sum, a, b[0], b[1]);
  for (int i = 0; i < 4; ++i) sums[place_in_sum(lane, i).row * 8 + place_in_sum(lane, i).column] = sum[i];
}

TEST_F(Instructions, MultipliesTf32AsADoubleSumDoes) {
  const auto rounded = [](float x) { return double{std::bit_cast<float>(cuda::to_tf32(x))}; };
  for (const std::uint64_t seed : kSeeds) {
    emulator::set_seed(seed);
    std::vector<float> a, b, sums;
    for (int i = 0; i < 128; ++i) a.push_back(draw()), sums.push_back(draw());
    for (int i = 0; i < 64; ++i) b.push_back(draw());
    const std::vector<float> before = sums;
    LAUNCH(multiply_tf32, dim3(1), dim3(32), Cuda{}, sums.data(), a.data(), b.data());
    for (int i = 0; i < 128; ++i) {
      double want = before[i];
      for (int k = 0; k < 8; ++k) want += rounded(a[i / 8 * 8 + k]) * rounded(b[k * 8 + i % 8]);
      EXPECT_NEAR(sums[i], want, 1e-6) << i;
    }
  }
}

TEST_F(Instructions, RoundsOperands) {
  EXPECT_EQ(cuda::pack_bf16(1.F, -2.F), 0xC0003F80U);
  EXPECT_EQ(cuda::pack_bf16(1.00390625F, 1.01171875F), 0x3F823F80U);  // ties to even
  EXPECT_EQ(cuda::pack_bf16(std::bit_cast<float>(0xFFC00001U), INFINITY), 0x7F807FFFU);
  const auto tf32 = [](float x) { return std::bit_cast<float>(cuda::to_tf32(x)); };
  EXPECT_EQ(tf32(1 + 0x1p-10F), 1 + 0x1p-10F);
  EXPECT_EQ(tf32(1 + 0x1p-11F), 1 + 0x1p-10F);  // ties away from zero
  EXPECT_EQ(tf32(-1 - 0x1p-11F), -1 - 0x1p-10F);
  EXPECT_EQ(tf32(1 + 0x1p-12F), 1);
  EXPECT_EQ(tf32(-INFINITY), -INFINITY);
  EXPECT_TRUE(std::isnan(tf32(std::bit_cast<float>(~0U))));
}

// -- mistakes --------------------------------------------------------------------------------------------------------

enum class Slip { none, no_warp_barrier, no_warp_barrier_after, one_row_on, half_a_row_on };
__global__ void slips(Slip slip) {
  SHARED(std::uint16_t, rows, 32 * 8);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = 0; i < 8; ++i) rows[lane * 8 + i] = 0;  // each lane its own row
  if (slip != Slip::no_warp_barrier) __syncwarp();
  unsigned registers[4];
  const int row = lane + (slip == Slip::one_row_on);
  cuda::ldmatrix(registers, &rows[row * 8 + 4 * (slip == Slip::half_a_row_on)]);  // all lanes' rows
  if (slip != Slip::no_warp_barrier_after) __syncwarp();
  rows[lane * 8] = 1;  // written again
}
__global__ void without_lane_7() {
  float sum[4] = {};
  const unsigned a[4] = {};
  if (threadIdx.x != 7) cuda::mma_m16n8k16(sum, a, 0, 0);  // all but lane 7
}

TEST_F(Instructions, ChecksWhatMatricesAreLoadedFrom) {
  for (const std::uint64_t seed : kSeeds) {
    const auto said = [&](Slip slip) {
      return failure_of([&] { LAUNCH(slips, dim3(1), dim3(32), Cuda{}, slip); }, seed);
    };
    EXPECT_EQ(said(Slip::none), "");
    const std::string load = line_of("all lanes' rows");
    const std::string early = said(Slip::no_warp_barrier);  // even where each lane names what it wrote itself
    EXPECT_NE(early.find("reads it for its warp at " + load + ", thread "), early.npos) << early;
    EXPECT_NE(early.find(line_of("each lane its own row") + ", without a barrier"), early.npos) << early;
    const std::string late = said(Slip::no_warp_barrier_after);
    EXPECT_NE(late.find("writes it at " + line_of("written again")), late.npos) << late;
    EXPECT_NE(late.find("read it at " + load), late.npos) << late;
    EXPECT_EQ(said(Slip::one_row_on),
              "block (0, 0, 0), thread (31, 0, 0): rows[256] at " + load + ": the array has 256 elements");
    const std::string between = said(Slip::half_a_row_on);
    EXPECT_NE(between.find("ldmatrix at " + load + ": rows["), between.npos) << between;
    EXPECT_NE(between.find("which is no multiple of 16"), between.npos) << between;
  }
}

TEST_F(Instructions, NeedsAllLanesOfAWarp) {
  for (const std::uint64_t seed : kSeeds)
    EXPECT_EQ(failure_of([] { LAUNCH(without_lane_7, dim3(1), dim3(32), Cuda{}); }, seed),
              "block (0, 0, 0): deadlock, no thread can go on\n  threads 7 ended\n  threads 0-6, 8-31 wait at "
              "mma_m16n8k16, " +
                  line_of("all but lane 7"));
}

}  // namespace
}  // namespace lookhere
