// Every element of an array and of rows has one thread, in vectors where these may begin and end.
#include "kernels/cuda/map.h"

#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

namespace cuda = kernels::cuda;

TEST(CudaMap, ComputesFromAnyAddress) {
  for_each_type_and_bf16([]<class T>(T) {
    using A = Acc<T>;
    for (const long n : {0L, 1L, 8L, 64L, 65L, 4104L})
      for (const long shift : {0, 1, 2, 3}) {  // of y, of one input, of the other
        const std::vector<T> a = random_values<T>(n + 1, 1);
        const std::vector<A> b = random_values<A>(n + 1, 2);
        const long at_y = shift == 1, at_a = shift == 2, at_b = shift == 3;
        std::vector<T> y(n + 2, T(A(7)));
        cuda::map(
            kernels::Cuda{}, n, [](A x, A z) { return x - z; }, y.data() + at_y, a.data() + at_a, b.data() + at_b);
        for (long i = 0; i < n; ++i) ASSERT_EQ(y[at_y + i], T(A(a[at_a + i]) - b[at_b + i])) << n << " " << shift;
        EXPECT_TRUE(y[n + 1] == T(A(7)) && (at_y ? y[0] : y[n]) == T(A(7))) << n << " " << shift;
      }
  });
}

TEST(CudaMap, ReachesEveryColumnOfEveryRowOnce) {
  for_each_type_and_bf16([]<class T>(T) {
    for (const auto& [rows, cols] : {std::pair{0L, 8L},
                                     {3L, 0L},
                                     {1L, 1L},
                                     {700L, 1L},
                                     {700L, 8L},
                                     {5L, 37L},
                                     {3L, 264L},
                                     {2L, 4104L},
                                     {1L, 9000L}})
      for (const bool vectors : {false, true}) {
        std::vector<int> calls(rows * cols);
        const int lanes = vectors && cols % cuda::kLanes<T> == 0 ? cuda::kLanes<T> : 1;
        cuda::for_each_in_rows<T>(kernels::Cuda{}, rows, cols, vectors,
                                  [&calls, lanes, cols = cols]<int kN>(unsigned row, long column) {
                                    EXPECT_EQ(kN, lanes);
                                    for (int k = 0; k < kN; ++k) ++calls[row * cols + column + k];
                                  });
        EXPECT_EQ(std::ranges::count(calls, 1), rows * cols) << rows << " " << cols;
      }
  });
}

}  // namespace
}  // namespace lookhere
