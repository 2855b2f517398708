// The register tile against sums in f64, and the cutting of rows and columns into tiles.
#include "kernels/simd/register_tile.h"

#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

using namespace kernels::KERNELS_ISA;

// C = start + A·B with tiles of every size that attention and GEMM use.
template <class T>
void expect_product(long rows, long vectors, long steps) {
  const long columns = vectors * kLanes<T>;
  const std::vector<T> a = random_values<T>(rows * steps, 1), b = random_values<T>(steps * columns, 2);
  std::vector<T> c = random_values<T>(rows * columns, 3);
  std::vector<double> want(c.begin(), c.end());
  for (long i = 0; i < rows; ++i)
    for (long k = 0; k < steps; ++k)
      for (long j = 0; j < columns; ++j)
        want[i * columns + j] += static_cast<double>(a[i * steps + k]) * static_cast<double>(b[k * columns + j]);
  for_each_column_tile(vectors, [&]<int kVectors>(long vector) {
    for_each_row_tile<kRowsBeside<kVectors>>(rows, [&]<int kRows>(long row) {
      const auto at = [&](int r, int v) { return c.data() + (row + r) * columns + (vector + v) * kLanes<T>; };
      register_tile<T, kRows, kVectors>(
          steps, [&](int r, long k) { return a[(row + r) * steps + k]; },
          [&](long k) { return b.data() + k * columns + vector * kLanes<T>; },
          [&](int r, int v) { return load<T>(at(r, v)); }, [&](int r, int v, Vector<T> x) { store(at(r, v), x); });
    });
  });
  EXPECT_LT(worst_error(c, want), 4 * kEpsilon<T> * static_cast<double>(steps + 1)) << rows << " " << vectors;
}

TEST(RegisterTile, MatchesTripleLoop) {
  for_each_type([]<class T>(T) {
    for (long rows = 1; rows <= 25; ++rows)
      for (long vectors = 1; vectors <= 9; ++vectors) expect_product<T>(rows, vectors, (rows + vectors) % 4);
    expect_product<T>(13, 7, 500);
  });
}

// A pair is two bf16 as they lie in memory, and is added up in f32.
TEST(RegisterTile, PairsAreNeighboursInMemory) {
  const bf16 values[] = {bf16(1.F), bf16(-2.F), bf16(3.F)};
  kernels::Pair pair = *reinterpret_cast<const kernels::Pair*>(values + 1);  // at an odd place
  EXPECT_EQ(pair.first, values[1].bits);
  EXPECT_EQ(pair.second, values[2].bits);
  EXPECT_TRUE((std::is_same_v<Acc<kernels::Pair>, float>));
  EXPECT_EQ(kLanes<kernels::Pair>, kLanes<float>);
}

}  // namespace
}  // namespace lookhere
