// The matrix product against a triple loop.
#include "kernels/gemm.h"

#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

using kernels::Transpose;

template <class T>
std::vector<double> triple_loop(const kernels::Gemm<T>& p, const std::vector<T>& start) {
  const bool ta = p.transpose_a == Transpose::yes, tb = p.transpose_b == Transpose::yes;
  std::vector<double> c(p.m * p.n);
  for (long i = 0; i < p.m; ++i)
    for (long j = 0; j < p.n; ++j) {
      double& sum = c[i * p.n + j];
      sum = p.accumulate ? static_cast<double>(start[i * p.n + j]) : 0;
      for (long k = 0; k < p.k; ++k)
        sum += static_cast<double>(p.a[ta ? k * p.m + i : i * p.k + k]) *
               static_cast<double>(p.b[tb ? j * p.k + k : k * p.n + j]);
    }
  return c;
}

struct Sizes {
  long m, n, k;
};
const Sizes kSizes[] = {{1, 1, 1},  {1, 130, 2}, {3, 5, 7},    {17, 1, 33},   {33, 7, 1},
                        {6, 64, 5}, {64, 64, 9}, {65, 31, 67}, {127, 65, 129}};

TEST(Gemm, MatchesTripleLoop) {
  for_each_type([]<class T>(T) {
    for (const auto& [m, n, k] : kSizes)
      for (const Transpose ta : {Transpose::no, Transpose::yes})
        for (const Transpose tb : {Transpose::no, Transpose::yes})
          for (const bool accumulate : {false, true}) {
            const std::vector<T> a = random_values<T>(m * k, 1), b = random_values<T>(k * n, 2);
            // Without `accumulate` what stands in c must not matter, not even a NaN.
            std::vector<T> c = accumulate ? random_values<T>(m * n, 3) : std::vector<T>(m * n, kNaN<T>);
            const kernels::Gemm<T> problem{.c = c.data(),
                                           .a = a.data(),
                                           .b = b.data(),
                                           .m = m,
                                           .n = n,
                                           .k = k,
                                           .transpose_a = ta,
                                           .transpose_b = tb,
                                           .accumulate = accumulate};
            const std::vector<double> want = triple_loop(problem, c);
            kernels::gemm(Cpu{}, problem);
            EXPECT_LT(worst_error(c, want), 8 * kEpsilon<T> * static_cast<double>(k + 1))
                << m << " " << n << " " << k << " transposes " << int(ta) << int(tb) << " accumulate " << accumulate;
          }
  });
}

TEST(Gemm, EmptySizesTouchNothing) {
  double c = 7;
  kernels::gemm<double>(Cpu{}, {.c = &c, .a = nullptr, .b = nullptr, .m = 0, .n = 3, .k = 2});
  kernels::gemm<double>(Cpu{}, {.c = &c, .a = nullptr, .b = nullptr, .m = 3, .n = 0, .k = 2});
  EXPECT_EQ(c, 7);
}

TEST(Gemm, LinearAddsTheBiasToEveryRow) {
  for_each_type([]<class T>(T) {
    for (const auto& [rows, out, in] : kSizes)
      for (const bool with_bias : {false, true}) {
        const std::vector<T> x = random_values<T>(rows * in, 1), w = random_values<T>(out * in, 2);
        const std::vector<T> b = random_values<T>(out, 3);
        std::vector<T> y(rows * out, kNaN<T>);
        std::vector<double> want(rows * out);
        for (long r = 0; r < rows; ++r)
          for (long o = 0; o < out; ++o) {
            want[r * out + o] = with_bias ? static_cast<double>(b[o]) : 0;
            for (long i = 0; i < in; ++i)
              want[r * out + o] += static_cast<double>(x[r * in + i]) * static_cast<double>(w[o * in + i]);
          }
        kernels::linear<T>(Cpu{}, {.y = y.data(),
                                   .x = x.data(),
                                   .w = w.data(),
                                   .b = with_bias ? b.data() : nullptr,
                                   .rows = rows,
                                   .in = in,
                                   .out = out});
        EXPECT_LT(worst_error(y, want), 8 * kEpsilon<T> * static_cast<double>(in + 1))
            << rows << " " << out << " " << in;
      }
  });
}

}  // namespace
}  // namespace lookhere
