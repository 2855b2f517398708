// The matrix product against a triple loop: every back end, every transpose, sizes around the edges of its tiles.
#include "kernels/gemm/gemm.h"

#include <omp.h>

#include "kernels/simd/isa.h"
#include "tests/kernels/gemm/kinds.h"

namespace lookhere {
namespace {

using kernels::GemmBackend;
using kernels::kEveryGemmBackend;
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
const Sizes kSizes[] = {{1, 1, 1},
                        {1, 130, 2},
                        {3, 5, 7},
                        {17, 1, 33},
                        {33, 7, 1},
                        {6, 64, 5},
                        {64, 64, 9},
                        {65, 31, 67},
                        {127, 65, 129},
                        {5, 3, 0},
                        {100, 200, 0},
                        {13, 150, 1030},
                        {97, 33, 513},
                        {50, 1100, 20},
                        // few rows, whose B is not packed ahead or not at all; classifiers; gradients of small layers
                        {1, 1000, 96},
                        {1, 48, 1700},
                        {4, 77, 900},
                        {6, 64, 800},
                        {7, 64, 800},
                        {128, 10, 192},
                        {10, 192, 128},
                        {128, 192, 10},
                        {192, 192, 600},
                        {1, 1, 2000}};

// All transposes, with and without `accumulate`.
template <class T>
void expect_products(const Sizes& sizes, Engine engine) {
  const auto [m, n, k] = sizes;
  for (const Transpose ta : {Transpose::no, Transpose::yes})
    for (const Transpose tb : {Transpose::no, Transpose::yes})
      for (const bool accumulate : {false, true}) {
        const std::vector<T> a = random_values<T>(m * k, 1), b = random_values<T>(k * n, 2);
        // Without `accumulate` what stands in c must not matter, not even a NaN. Behind c nothing may change.
        std::vector<T> c = accumulate ? random_values<T>(m * n, 3) : std::vector<T>(m * n, kNaN<T>);
        c.resize(m * n + 64, T(7));
        const kernels::Gemm<T> problem{.c = c.data(),
                                       .a = a.data(),
                                       .b = b.data(),
                                       .m = m,
                                       .n = n,
                                       .k = k,
                                       .transpose_a = ta,
                                       .transpose_b = tb,
                                       .accumulate = accumulate};
        std::vector<double> want = triple_loop(problem, c);
        want.resize(c.size(), 7);
        engine(problem);
        EXPECT_LT(worst_error(c, want), 8 * kEpsilon<T> * static_cast<double>(k + 1))
            << engine.name() << " " << m << " " << n << " " << k << " transposes " << int(ta) << int(tb)
            << " accumulate " << accumulate;
      }
}

// The tests here and of linear layers go over the back ends that can run; what is left out is said.
TEST(Gemm, HasEveryBackEnd) {
  for (const GemmBackend backend : kEveryGemmBackend)
    if (!kernels::can_run(backend)) GTEST_SKIP() << "this build has no " << name_of(backend) << ": not tested";
}

TEST(Gemm, MatchesTripleLoop) {
  for_each_kind([]<class T>(T, Engine engine) {
    for (const Sizes& sizes : kSizes) expect_products<T>(sizes, engine);
  });
}

TEST(Gemm, AnySizeUpToSeventy) {
  for (long size = 1; size <= 70; ++size) {
    expect_products<float>({size, 19, 5}, Engine{GemmBackend::own});
    expect_products<float>({7, size, 5}, Engine{GemmBackend::own});
    expect_products<float>({13, 21, size}, Engine{GemmBackend::own});
  }
}

TEST(Gemm, EmptySizesTouchNothing) {
  for_each_kind([]<class T>(T, Engine engine) {
    T c = 7;
    engine(kernels::Gemm<T>{.c = &c, .a = nullptr, .b = nullptr, .m = 0, .n = 3, .k = 2});
    engine(kernels::Gemm<T>{.c = &c, .a = nullptr, .b = nullptr, .m = 3, .n = 0, .k = 2});
    EXPECT_EQ(c, 7);
  });
}

TEST(Gemm, OwnGivesTheSameBitsForAnyThreads) {
  for (const auto& [m, n, k] : {Sizes{200, 500, 70}, {97, 230, 700}, {6, 1000, 300}, {500, 10, 300}})
    for (const Transpose ta : {Transpose::no, Transpose::yes})
      for (const Transpose tb : {Transpose::no, Transpose::yes}) {
        const std::vector<float> a = random_values<float>(m * k, 1), b = random_values<float>(k * n, 2);
        const auto product = [&, m = m, n = n, k = k] {
          std::vector<float> c(m * n);
          kernels::gemm<float>(Cpu{},
                               {.c = c.data(),
                                .a = a.data(),
                                .b = b.data(),
                                .m = m,
                                .n = n,
                                .k = k,
                                .transpose_a = ta,
                                .transpose_b = tb},
                               GemmBackend::own);
          return c;
        };
        expect_same_for_any_threads(product);
        const std::vector<float> alone = product();
        std::vector<float> inside[2];
#pragma omp parallel for num_threads(2)
        for (int i = 0; i < 2; ++i) inside[i] = product();  // already in parallel: each on its own thread
        EXPECT_TRUE(same_bits(alone, inside[0]) && same_bits(alone, inside[1]));
      }
}

// However C is cut into tiles, an element is the same: rows and columns beside it do not matter.
TEST(Gemm, AnElementOfOwnDoesNotDependOnItsNeighbours) {
  constexpr long kK = 600;
  const std::vector<float> a = random_values<float>(40 * kK, 1), b = random_values<float>(kK * 150, 2);
  const auto product = [&](long m, long n) {
    std::vector<float> c(m * n);
    kernels::gemm<float>(
        Cpu{}, {.c = c.data(), .a = a.data(), .b = b.data(), .m = m, .n = n, .k = kK, .transpose_b = Transpose::yes},
        GemmBackend::own);
    return c;
  };
  const std::vector<float> all = product(40, 150);
  for (const auto& [m, n] : {std::pair{1L, 1L}, {5L, 70L}, {7L, 149L}, {39L, 17L}}) {
    const std::vector<float> part = product(m, n);
    for (long i = 0; i < m; ++i)
      for (long j = 0; j < n; ++j)
        ASSERT_EQ(part[i * n + j], all[i * 150 + j]) << m << " x " << n << ": " << i << " " << j;
  }
}

TEST(Gemm, NotANumberStaysVisible) {
  std::vector<float> a(20 * 30, 1.F), b(30 * 40, 0.F), c(20 * 40);
  a[7 * 30 + 3] = kNaN<float>;
  kernels::gemm<float>(Cpu{}, {.c = c.data(), .a = a.data(), .b = b.data(), .m = 20, .n = 40, .k = 30},
                       GemmBackend::own);
  for (long i = 0; i < 20 * 40; ++i) EXPECT_EQ(std::isnan(c[i]), i / 40 == 7);
}

// Each in a process of its own, since the choice is made once.
using GemmBackendDeathTest = ::testing::Test;
void say_backend_for(const char* wanted) {
  setenv("LOOKHERE_GEMM", wanted, 1);
  std::fprintf(stderr, "%s|%s|", kernels::name_of(kernels::gemm_backend()), kernels::gemm_problem());
  std::exit(0);
}
TEST_F(GemmBackendDeathTest, ForcedByTheEnvironment) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto ok = ::testing::ExitedWithCode(0);
  const std::string usual = kernels::isa() == kernels::Isa::portable ? "openblas" : "own";
  EXPECT_EXIT(say_backend_for(""), ok, usual + "\\|\\|");
  EXPECT_EXIT(say_backend_for("own"), ok, "own\\|\\|");
  EXPECT_EXIT(say_backend_for("openblas"), ok, "openblas\\|\\|");
  EXPECT_EXIT(say_backend_for("onednn"), ok,
              kernels::can_run(GemmBackend::onednn) ? "onednn\\|\\|"
                                                    : usual + "\\|LOOKHERE_GEMM: this build lacks the one it names\\|");
  EXPECT_EXIT(say_backend_for("mkl"), ok, usual + "\\|LOOKHERE_GEMM: wanted own, openblas or onednn\\|");
}

}  // namespace
}  // namespace lookhere
