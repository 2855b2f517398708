// Element-wise kernels against their formulas, and sums that must not depend on the number of threads.
#include "kernels/pointwise.h"

#include <Random123/philox.h>

#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

template <class Context, class T>
double squares_of(Context context, const std::vector<T>& x) {
  std::vector<double> sum{kNaN<double>};
  kernels::sum_of_squares<T>(context, {.sum = sum.data(), .x = x.data(), .n = static_cast<long>(x.size())});
  return sum[0];
}

constexpr long kCounts[] = {1, 3, 64, 255, 256, 257, 4095, 4096, 4097, 30001};  // around a block of parallel_blocks
constexpr long kMostEmulated = 4097;

// Runs kernel(y, x, n) in place (all of these may alias) and compares with f(x) in f64.
template <class T, class Context, class Kernel, class F>
void expect_pointwise(Context, double rounding_errors, Kernel kernel, F f) {
  for (const long n : kCounts) {
    if (std::is_same_v<Context, kernels::Cuda> && n > kMostEmulated) continue;
    const std::vector<T> x = random_values<T>(n, 1, -6, 6);
    std::vector<double> want(n);
    for (long i = 0; i < n; ++i) want[i] = f(as_f64(x[i]), i);
    for (const long before : {0, 1}) {  // where no vector of a GPU may begin
      std::vector<T> y(before + n);
      std::copy(x.begin(), x.end(), y.begin() + before);
      kernel(y.data() + before, n);
      y.erase(y.begin(), y.begin() + before);
      EXPECT_LT(worst_error(y, want), tolerance<T>(rounding_errors)) << n << " after " << before;
    }
  }
}

TEST(Pointwise, Add) {
  for_each_context_and_type([]<class T>(auto context, T) {
    const std::vector<T> b = random_values<T>(30001, 2);
    expect_pointwise<T>(
        context, 2,
        [&](T* y, long n) { kernels::add<T>(context, {.y = y, .a = y, .b = b.data(), .n = n, .period = n}); },
        [&](double x, long i) { return x + as_f64(b[i]); });
  });
}

TEST(Pointwise, AddBroadcasts) {
  for_each_context_and_type([]<class T>(auto context, T) {
    for (const auto& [rows, period] : {std::pair{7L, 1L}, {1L, 5L}, {300L, 129L}, {5L, 64L}, {2L, 4104L}}) {
      std::vector<T> y = random_values<T>(rows * period, 1);
      const std::vector<T> a = y, b = random_values<T>(period, 2);
      kernels::add<T>(context, {.y = y.data(), .a = y.data(), .b = b.data(), .n = rows * period, .period = period});
      for (long i = 0; i < rows * period; ++i) ASSERT_EQ(y[i], T(Acc<T>(a[i]) + Acc<T>(b[i % period])));
    }
  });
}

TEST(Pointwise, Scale) {
  for_each_context_and_type([]<class T>(auto context, T) {
    for (const bool accumulate : {false, true})
      expect_pointwise<T>(
          context, 2,
          [&](T* y, long n) {
            kernels::scale<T>(context, {.y = y, .x = y, .n = n, .scale = -0.75, .accumulate = accumulate});
          },
          [&](double x, long) { return accumulate ? x - 0.75 * x : -0.75 * x; });
  });
}

TEST(Pointwise, ScaleByWhatStandsInMemory) {
  for_each_context_and_type([]<class T>(auto context, T) {
    const std::vector<kernels::Acc<T>> factor{2};
    expect_pointwise<T>(
        context, 2,
        [&](T* y, long n) {
          kernels::scale<T>(context, {.y = y, .x = y, .n = n, .scale = -0.75, .times = factor.data()});
        },
        [&](double x, long) { return -1.5 * x; });
  });
}

TEST(Pointwise, Fill) {
  for_each_context([](auto context) {
    const auto expect = [&]<class T>(T value) {
      for (const long n : {0, 1, 33, 64, 30001}) {
        std::vector<T> y(n + 1, T(7));
        kernels::fill<T>(context, {.y = y.data(), .n = n, .value = value});
        EXPECT_TRUE(std::all_of(y.begin(), y.end() - 1, [&](T got) { return same_bits(std::vector{got}, {value}); }));
        EXPECT_EQ(as_f64(y[n]), 7);
      }
    };
    expect(0.5F), expect(-0.0), expect(kernels::bf16(1.5F)), expect(std::int64_t{1} << 60);
  });
}

TEST(Pointwise, Multiply) {
  for_each_context_and_type([]<class T>(auto context, T) {
    const std::vector<T> b = random_values<T>(30001, 2);
    expect_pointwise<T>(
        context, 2, [&](T* y, long n) { kernels::multiply<T>(context, {.y = y, .a = y, .b = b.data(), .n = n}); },
        [&](double x, long i) { return x * as_f64(b[i]); });
  });
}

TEST(Pointwise, Tanh) {
  for_each_context_and_type([]<class T>(auto context, T) {
    expect_pointwise<T>(
        context, 8, [&](T* y, long n) { kernels::tanh<T>(context, {.y = y, .x = y, .n = n}); },
        [](double x, long) { return std::tanh(x); });
    const std::vector<T> y = random_values<T>(30001, 2);
    expect_pointwise<T>(
        context, 16,
        [&](T* dy, long n) { kernels::tanh_backward<T>(context, {.dx = dy, .dy = dy, .y = y.data(), .n = n}); },
        [&](double dy, long i) { return dy * (1 - std::pow(as_f64(y[i]), 2)); });
  });
}

TEST(Pointwise, Waves) {
  for_each_context_and_type([]<class T>(auto context, T) {
    for (const auto& [rows, cols] : {std::pair{1L, 1L}, {3L, 17L}, {40L, 5L}}) {
      const std::vector<T> x = random_values<T>(rows * cols, 1, -5, 5), dy = random_values<T>(2 * rows * cols, 2);
      std::vector<T> y(2 * rows * cols), dx(rows * cols);
      kernels::waves<T>(context, {.y = y.data(), .x = x.data(), .rows = rows, .cols = cols});
      kernels::waves_backward<T>(context,
                                 {.dx = dx.data(), .dy = dy.data(), .y = y.data(), .rows = rows, .cols = cols});
      for (long i = 0; i < rows * cols; ++i) {
        const long at = i / cols * 2 * cols + i % cols;
        const double cos = std::cos(as_f64(x[i])), sin = std::sin(as_f64(x[i])), tolerance = 4 * kEpsilon<T>;
        EXPECT_NEAR(as_f64(y[at]), cos, tolerance);
        EXPECT_NEAR(as_f64(y[at + cols]), sin, tolerance);
        EXPECT_NEAR(as_f64(dx[i]), cos * as_f64(dy[at + cols]) - sin * as_f64(dy[at]), tolerance);
      }
    }
  });
}

TEST(Pointwise, ColumnSum) {
  for_each_context_and_type([]<class T>(auto context, T) {
    for (const auto& [rows, cols] : {std::pair{1L, 1L}, {1L, 65L}, {9L, 63L}, {200L, 130L}, {5000L, 1L}, {1003L, 15L}})
      for (const bool accumulate : {false, true}) {
        const std::vector<T> x = random_values<T>(rows * cols, 1);
        std::vector<Acc<T>> sum(cols, accumulate ? 2 : kNaN<Acc<T>>);
        std::vector<double> want(cols, accumulate ? 2 : 0);
        for (long i = 0; i < rows * cols; ++i) want[i % cols] += as_f64(x[i]);
        kernels::column_sum<T>(
            context, {.out = sum.data(), .x = x.data(), .rows = rows, .cols = cols, .accumulate = accumulate});
        EXPECT_LT(worst_error(sum, want), kEpsilon<Acc<T>> * static_cast<double>(rows + 1)) << rows << "x" << cols;
      }
  });
}

TEST(Pointwise, SumOfSquares) {
  for_each_context([](auto context) {
    for_each_type([&]<class T>(T) {
      for (const long n : {0L, 1L, 63L, 65L, 100000L}) {
        std::vector<T> x = random_values<T>(n, 1);
        double want = 0;
        for (const T value : x) want += std::pow(static_cast<double>(value), 2);
        EXPECT_NEAR(squares_of(context, x), want, 1e-12 * (1 + want)) << n;
        if (n == 0) continue;
        x.back() = T(-3e20);  // its square overflows f32: the sum is f64
        EXPECT_NEAR(squares_of(context, x) / 9e40, 1, 1e-6);
        x[n / 2] = kNaN<T>;
        EXPECT_TRUE(std::isnan(squares_of(context, x)));
        x[n / 2] = kInf<T>;
        EXPECT_TRUE(std::isinf(squares_of(context, x)));
      }
    });
  });
}

template <class Context, class T>
std::vector<T> dropped(Context context, const std::vector<T>& x, float keep, std::uint64_t seed, std::uint32_t a,
                       std::uint32_t b = 0) {
  std::vector<T> y(x.size(), kNaN<T>);
  kernels::dropout<T>(
      context,
      {.y = y.data(), .x = x.data(), .n = static_cast<long>(x.size()), .keep = keep, .seed = seed, .a = a, .b = b});
  return y;
}

TEST(Pointwise, DropoutKeepsTheRightShareAndScalesIt) {
  for_each_context_and_type([]<class T>(auto context, T) {
    constexpr long kN = 100003;  // no multiple of four
    for (const double keep : {0.9, 0.5, 0.1, 1.0}) {
      const std::vector<T> y = dropped(context, std::vector<T>(kN, T(2)), static_cast<float>(keep), 5, 1);
      long kept = 0;
      for (const T value : y) {
        kept += as_f64(value) != 0;
        ASSERT_TRUE(as_f64(value) == 0 || std::abs(as_f64(value) * keep / 2 - 1) < tolerance<T>(2) + 1e-7);
      }
      const double deviation = std::sqrt(kN * keep * (1 - keep));  // of a binomial count
      EXPECT_LE(std::abs(static_cast<double>(kept) - kN * keep), 4 * deviation) << keep;
    }
  });
}

// Element i's number is word i % 4 of counter i / 4, its upper 24 bits as a fraction: what a training run repeats.
TEST(Pointwise, DropoutDrawsWhatRandom123Draws) {
  for_each_context([](auto context) {
    const std::vector<float> x(30001, 1.F);
    for (const float keep : {0.9F, 0.3F, 0x1p-24F, 1.F}) {
      const std::vector<float> y = dropped(context, x, keep, 0x123456789abcdefULL, 7, 8);
      for (std::uint32_t i = 0; i < y.size(); ++i) {
        const auto words = r123::Philox4x32()({{i / 4, 0, 7, 8}}, {{0x89abcdefU, 0x1234567U}});
        const bool kept = static_cast<float>(words[i % 4] >> 8) * 0x1p-24F < keep;
        ASSERT_EQ(y[i], kept ? 1 / keep : 0) << i;
      }
    }
  });
}

TEST(Pointwise, DropoutReadsALiveNumber) {
  for_each_context([](auto context) {
    const std::vector<float> x(1000, 1.F);
    const std::vector<std::int64_t> a{7};
    std::vector<float> y = x;
    kernels::dropout<float>(
        context,
        {.y = y.data(), .x = x.data(), .n = 1000, .keep = 0.5F, .seed = 5, .a = 99, .b = 8, .live_a = a.data()});
    EXPECT_TRUE(same_bits(y, dropped(context, x, 0.5F, 5, 7, 8)));
  });
}

// What a training run repeats since version 0.1, when the host drew it.
TEST(Pointwise, DropPathDrawsWhatRngDraws) {
  for_each_context([](auto context) {
    const std::uint64_t seed = 0x123456789abcdefULL;
    const std::vector<std::int64_t> live{70};
    const auto expect = [&]<class T>(T, double p, long n, bool is_live) {
      std::vector<T> y(n);
      kernels::drop_path<T>(context, {.y = y.data(),
                                      .n = n,
                                      .p = p,
                                      .seed = seed,
                                      .a = is_live ? 1U : 70U,
                                      .b = 3,
                                      .purpose = static_cast<std::uint32_t>(Purpose::drop_path),
                                      .live_a = is_live ? live.data() : nullptr});
      Rng rng(seed, Purpose::drop_path, 70, 3);
      for (long i = 0; i < n; ++i)
        ASSERT_EQ(y[i], rng.uniform() < p ? T(0) : static_cast<T>(1 / (1 - p))) << n << " " << i;
    };
    for (const double p : {0.0, 0.1, 0.5, 0.999})
      for (const long n : {1, 3, 4, 129, 1000})
        for (const bool is_live : {false, true}) expect(0.F, p, n, is_live), expect(0.0, p, n, is_live);
  });
}

TEST(Pointwise, DropoutIsTheSameWhereverItsNumbersLie) {
  for_each_context_and_type([]<class T>(auto context, T) {
    const std::vector<T> x = random_values<T>(1000, 1);
    std::vector<T> later(1001);
    std::copy(x.begin(), x.end(), later.begin() + 1);
    kernels::dropout<T>(
        context, {.y = later.data() + 1, .x = later.data() + 1, .n = 1000, .keep = 0.5F, .seed = 5, .a = 1, .b = 0});
    later.erase(later.begin());
    EXPECT_TRUE(same_bits(later, dropped(context, x, 0.5F, 5, 1)));
  });
}

TEST(Pointwise, DropoutDropsNan) {
  for_each_context([](auto context) {
    const std::vector<float> y = dropped(context, std::vector<float>(100, kNaN<float>), 0.5F, 5, 1);
    EXPECT_NEAR(std::count(y.begin(), y.end(), 0.F), 50, 20);
  });
}

TEST(Pointwise, DropoutBelongsToItsStream) {
  for_each_context([](auto context) {
    const std::vector<float> x(10000, 1.F);
    const std::vector<float> y = dropped(context, x, 0.5F, 5, 1);
    EXPECT_TRUE(same_bits(y, dropped(context, x, 0.5F, 5, 1)));
    // An element's fate depends on its index alone: of a shorter vector the same are kept.
    const std::vector<float> shorter = dropped(context, std::vector<float>(4099, 1.F), 0.5F, 5, 1);
    EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), y.begin()));
    for (const auto& other :
         {dropped(context, x, 0.5F, 6, 1), dropped(context, x, 0.5F, 5, 2), dropped(context, x, 0.5F, 5, 1, 1)}) {
      long same = 0;
      for (std::size_t i = 0; i < x.size(); ++i) same += y[i] == other[i];
      EXPECT_NEAR(static_cast<double>(same), 5000, 200);  // independent: half of them agree
    }
  });
}

template <class T>
struct ResidualCase {
  using A = Acc<T>;
  long images, tokens, cols;
  bool with_gamma, with_keep;
  std::vector<A> x = random_values<A>(images * tokens * cols, 1), gamma = random_values<A>(cols, 3),
                 keep = random_values<A>(images, 4, 0, 2);
  std::vector<T> branch = random_values<T>(images * tokens * cols, 2);
  double g(long i) const { return with_gamma ? gamma[i % cols] : 1; }
  double k(long i) const { return with_keep ? keep[i / (tokens * cols)] : 1; }
};

template <class F>
void for_each_residual(F f) {
  for_each_context_and_type([&]<class T>(auto context, T) {
    for (const bool with_gamma : {false, true})
      for (const bool with_keep : {false, true}) {
        f(context, ResidualCase<T>{1, 1, 1, with_gamma, with_keep});
        f(context, ResidualCase<T>{3, 5, 65, with_gamma, with_keep});
        f(context, ResidualCase<T>{4, 50, 192, with_gamma, with_keep});
      }
  });
}

TEST(Pointwise, Residual) {
  for_each_residual([]<class T>(auto context, const ResidualCase<T>& t) {
    std::vector<Acc<T>> y = t.x;
    std::vector<double> want(y.size());
    for (std::size_t i = 0; i < y.size(); ++i) want[i] = t.x[i] + t.g(i) * as_f64(t.branch[i]) * t.k(i);
    kernels::residual<T>(context, {.y = y.data(),
                                   .x = y.data(),
                                   .branch = t.branch.data(),
                                   .gamma = t.with_gamma ? t.gamma.data() : nullptr,
                                   .keep = t.with_keep ? t.keep.data() : nullptr,
                                   .images = t.images,
                                   .tokens = t.tokens,
                                   .cols = t.cols});
    EXPECT_LT(worst_error(y, want), 4 * kEpsilon<Acc<T>>);
  });
}

template <class T>
struct ResidualGradients {
  std::vector<T> dbranch;
  std::vector<Acc<T>> dgamma;
};

template <class Context, class T>
ResidualGradients<T> residual_backward(Context context, const ResidualCase<T>& t, bool accumulate = false,
                                       bool with_dgamma = true) {
  ResidualGradients<T> d{std::vector<T>(t.x.size(), kNaN<T>),
                         std::vector<Acc<T>>(t.cols, accumulate ? 1 : kNaN<Acc<T>>)};
  kernels::residual_backward<T>(context, {.dbranch = d.dbranch.data(),
                                          .dgamma = with_dgamma ? d.dgamma.data() : nullptr,
                                          .dy = t.x.data(),
                                          .branch = with_dgamma ? t.branch.data() : nullptr,
                                          .gamma = t.with_gamma ? t.gamma.data() : nullptr,
                                          .keep = t.with_keep ? t.keep.data() : nullptr,
                                          .images = t.images,
                                          .tokens = t.tokens,
                                          .cols = t.cols,
                                          .accumulate = accumulate});
  return d;
}

TEST(Pointwise, ResidualBackward) {
  for_each_residual([]<class T>(auto context, const ResidualCase<T>& t) {
    for (const bool accumulate : {false, true}) {
      std::vector<double> want(t.x.size()), want_gamma(t.cols, accumulate ? 1 : 0);
      for (std::size_t i = 0; i < t.x.size(); ++i) {
        want[i] = t.g(i) * t.x[i] * t.k(i);
        want_gamma[i % t.cols] += t.x[i] * as_f64(t.branch[i]) * t.k(i);
      }
      const ResidualGradients<T> got = residual_backward(context, t, accumulate);
      EXPECT_LT(worst_error(got.dbranch, want), tolerance<T>(4));
      EXPECT_LT(worst_error(got.dgamma, want_gamma), kEpsilon<Acc<T>> * static_cast<double>(4 + t.images * t.tokens));
      EXPECT_TRUE(same_bits(residual_backward(context, t, false, false).dbranch, got.dbranch));
    }
  });
}

TEST(Pointwise, SumsHaveTheSameBitsForAnyThreads) {
  for_each_type_and_bf16([]<class T>(T) {
    const ResidualCase<T> t{8, 60, 300, true, true};
    expect_same_for_any_threads([&] { return residual_backward(Cpu{}, t).dgamma; });
    for (const long cols : {300, 1})
      expect_same_for_any_threads([&] {
        std::vector<Acc<T>> sum(cols);
        kernels::column_sum<T>(Cpu{},
                               {.out = sum.data(), .x = t.branch.data(), .rows = 480 * 300 / cols, .cols = cols});
        return sum;
      });
    expect_same_for_any_threads([&] { return std::vector<double>{squares_of(Cpu{}, t.x)}; });
  });
}

}  // namespace
}  // namespace lookhere
