// FIRE's distance: the formula in f64, its gradient against differences, and values by hand.
#include "kernels/log_distance.h"

#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

struct Case {
  double c, l, unit, farthest;
};
// The learned end beyond the grid, within it, and negative parameters, which count as their size.
const Case kCases[] = {{0.1, 2, 3, 4.5}, {0.1, 2, 3, 6.5}, {-5, -1.5, 4, 5}, {0, 0, 1, 1}, {1e3, 1, 90, 1}};

double value(const Case& k, double d) {
  const double c = std::abs(k.c) + 1e-6, m = std::max(std::abs(k.l) * k.unit, k.farthest);
  return std::log1p(c * d) / std::log1p(c * m);
}

template <class T>
std::vector<T> distances(const Case& k, long n) {
  std::vector<T> d = random_values<T>(n, 1, 0, k.farthest);
  d[0] = 0, d.back() = static_cast<T>(k.farthest);
  return d;
}

TEST(LogDistance, IsTheFormula) {
  EXPECT_NEAR(value({1 - 1e-6, 0, 1, 7}, 1), 1. / 3, 1e-12);  // log 2 / log 8
  for_each_context([](auto context) {
    for_each_type([&]<class T>(T) {
      for (const Case& k : kCases)
        for (const long n : {2L, 33L, 700L}) {
          const std::vector<T> d = distances<T>(k, n), p{static_cast<T>(k.c), static_cast<T>(k.l)};
          std::vector<T> y(n, kNaN<T>);
          kernels::log_distance<T>(context, {.y = y.data(),
                                             .d = d.data(),
                                             .p = p.data(),
                                             .n = n,
                                             .unit = static_cast<T>(k.unit),
                                             .farthest = static_cast<T>(k.farthest)});
          EXPECT_EQ(y[0], 0);
          for (long i = 0; i < n; ++i) EXPECT_NEAR(y[i], value(k, as_f64(d[i])), 16 * kEpsilon<T>);
        }
    });
  });
}

TEST(LogDistance, HasItsGradient) {
  for_each_context([](auto context) {
    for_each_type([&]<class T>(T) {
      for (const Case& k : kCases) {
        if (k.c == 0) continue;  // there it has two
        constexpr long n = 300;
        const std::vector<T> d = distances<T>(k, n), dy = random_values<T>(n, 2);
        const std::vector<T> p{static_cast<T>(k.c), static_cast<T>(k.l)};
        std::vector<T> y(n), dp(2, kNaN<T>);
        for (long i = 0; i < n; ++i) y[i] = static_cast<T>(value(k, as_f64(d[i])));
        kernels::log_distance_backward<T>(context, {.dp = dp.data(),
                                                    .dy = dy.data(),
                                                    .y = y.data(),
                                                    .d = d.data(),
                                                    .p = p.data(),
                                                    .n = n,
                                                    .unit = static_cast<T>(k.unit),
                                                    .farthest = static_cast<T>(k.farthest)});
        const auto weighed = [&](Case moved) {
          double sum = 0;
          for (long i = 0; i < n; ++i) sum += as_f64(dy[i]) * value(moved, as_f64(d[i]));
          return sum;
        };
        const double h = 1e-5, size = std::is_same_v<T, float> ? 1e-4 : 1e-7;
        const Case near{k.c - h, k.l, k.unit, k.farthest}, far{k.c + h, k.l, k.unit, k.farthest};
        const Case less{k.c, k.l - h, k.unit, k.farthest}, more{k.c, k.l + h, k.unit, k.farthest};
        const double dc = (weighed(far) - weighed(near)) / (2 * h), dl = (weighed(more) - weighed(less)) / (2 * h);
        EXPECT_NEAR(dp[0], dc, size * (1 + std::abs(dc)));
        EXPECT_NEAR(dp[1], dl, size * (1 + std::abs(dl)));
        EXPECT_EQ(dl == 0, std::abs(k.l) * k.unit < k.farthest);
      }
    });
  });
}

TEST(LogDistance, ThreadsChangeNothing) {
  const Case k = kCases[0];
  const std::vector<float> d = distances<float>(k, 100'000), p{0.1F, 2};
  expect_same_for_any_threads([&] {
    std::vector<float> y(d.size());
    kernels::log_distance<float>(
        Cpu{}, {.y = y.data(), .d = d.data(), .p = p.data(), .n = std::ssize(d), .unit = 3, .farthest = 4.5});
    return y;
  });
}

}  // namespace
}  // namespace lookhere
