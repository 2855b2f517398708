// Layer normalisation against sums in f64, over sizes that straddle the vector width and far from zero.
#include "kernels/layer_norm.h"

#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

constexpr float kEps = 1e-6F;

template <class T>
struct Case {
  long rows, cols;
  std::vector<T> x, dy, w, b;
  std::vector<double> mean, rstd;

  Case(long rows, long cols, double center)
      : rows(rows),
        cols(cols),
        x(random_values<T>(rows * cols, 1, center - 1, center + 1)),
        dy(random_values<T>(rows * cols, 2)),
        w(random_values<T>(cols, 3)),
        b(random_values<T>(cols, 4)) {
    for (long r = 0; r < rows; ++r) {
      double sum = 0, squares = 0;
      for (long c = 0; c < cols; ++c) sum += x[r * cols + c];
      mean.push_back(sum / static_cast<double>(cols));
      for (long c = 0; c < cols; ++c) squares += std::pow(x[r * cols + c] - mean[r], 2);
      rstd.push_back(1 / std::sqrt(squares / static_cast<double>(cols) + static_cast<double>(kEps)));
    }
  }
  double normalised(long r, long c) const { return (x[r * cols + c] - mean[r]) * rstd[r]; }
  // What rounding the mean to T costs: E[x²] - E[x]² would cost the square of it.
  double bound(long r) const { return 16 * kEpsilon<T> * (1 + std::abs(mean[r]) * rstd[r]); }
  double largest_bound() const {
    double largest = 0;
    for (long r = 0; r < rows; ++r) largest = std::max(largest, bound(r));
    return largest;
  }
};

template <class F>
void for_each_case(F f) {
  for_each_type([&]<class T>(T) {
    for (long cols = 1; cols <= 70; ++cols)
      for (const long rows : {1, 5})
        for (const double center : {0., 1000.}) f(Case<T>(rows, cols, center));
    f(Case<T>(300, 192, 0.5));  // large enough to run on several threads
  });
}

TEST(LayerNorm, MatchesSumsInF64) {
  for_each_case([]<class T>(const Case<T>& t) {
    std::vector<T> y = t.x, mean(t.rows), rstd(t.rows);  // in place: y may alias x
    kernels::layer_norm<T>(Cpu{}, {.y = y.data(),
                                   .mean = mean.data(),
                                   .rstd = rstd.data(),
                                   .x = y.data(),
                                   .w = t.w.data(),
                                   .b = t.b.data(),
                                   .rows = t.rows,
                                   .cols = t.cols,
                                   .eps = kEps});
    EXPECT_LT(worst_error(mean, t.mean), 4 * kEpsilon<T>);
    for (long r = 0; r < t.rows; ++r) {
      EXPECT_NEAR(rstd[r] / t.rstd[r], 1, t.bound(r)) << t.cols;
      for (long c = 0; c < t.cols; ++c)
        ASSERT_NEAR(y[r * t.cols + c], t.normalised(r, c) * t.w[c] + t.b[c], t.bound(r)) << t.cols << " at " << c;
    }
  });
}

TEST(LayerNorm, BackwardMatchesSumsInF64) {
  for_each_case([]<class T>(const Case<T>& t) {
    const std::vector<T> mean(t.mean.begin(), t.mean.end()), rstd(t.rstd.begin(), t.rstd.end());
    std::vector<T> dx = t.dy, dw(t.cols, kNaN<T>), db(t.cols, kNaN<T>);  // in place: dx may alias dy
    kernels::layer_norm_backward<T>(Cpu{}, {.dx = dx.data(),
                                            .dw = dw.data(),
                                            .db = db.data(),
                                            .dy = dx.data(),
                                            .x = t.x.data(),
                                            .mean = mean.data(),
                                            .rstd = rstd.data(),
                                            .w = t.w.data(),
                                            .rows = t.rows,
                                            .cols = t.cols});
    std::vector<double> want_dw(t.cols), want_db(t.cols);
    for (long r = 0; r < t.rows; ++r) {
      double g_mean = 0, gx_mean = 0;
      const auto g = [&](long c) { return static_cast<double>(t.dy[r * t.cols + c]) * t.w[c]; };
      for (long c = 0; c < t.cols; ++c) {
        g_mean += g(c) / static_cast<double>(t.cols);
        gx_mean += g(c) * t.normalised(r, c) / static_cast<double>(t.cols);
        want_dw[c] += t.dy[r * t.cols + c] * t.normalised(r, c);
        want_db[c] += t.dy[r * t.cols + c];
      }
      for (long c = 0; c < t.cols; ++c)
        ASSERT_NEAR(dx[r * t.cols + c] / t.rstd[r], g(c) - g_mean - t.normalised(r, c) * gx_mean, t.bound(r)) << t.cols;
    }
    const double rows = static_cast<double>(t.rows);
    EXPECT_LT(worst_error(dw, want_dw), t.largest_bound() * rows) << t.cols;
    EXPECT_LT(worst_error(db, want_db), 4 * kEpsilon<T> * rows) << t.cols;
  });
}

TEST(LayerNorm, SameBitsForAnyThreads) {
  for_each_type([]<class T>(T) {
    const Case<T> t(500, 131, 1);
    const std::vector<T> mean(t.mean.begin(), t.mean.end()), rstd(t.rstd.begin(), t.rstd.end());
    expect_same_for_any_threads([&] {
      std::vector<T> all(t.rows * t.cols + 2 * t.cols);
      kernels::layer_norm_backward<T>(Cpu{}, {.dx = all.data() + 2 * t.cols,
                                              .dw = all.data(),
                                              .db = all.data() + t.cols,
                                              .dy = t.dy.data(),
                                              .x = t.x.data(),
                                              .mean = mean.data(),
                                              .rstd = rstd.data(),
                                              .w = t.w.data(),
                                              .rows = t.rows,
                                              .cols = t.cols});
      return all;
    });
  });
}

TEST(LayerNorm, NanStaysInItsRow) {
  std::vector<float> x = random_values<float>(2 * 8, 1), y(16), mean(2), rstd(2);
  const std::vector<float> w(8, 1.F), b(8, 0.F);
  x[3] = kNaN<float>;
  kernels::layer_norm<float>(Cpu{}, {.y = y.data(),
                                     .mean = mean.data(),
                                     .rstd = rstd.data(),
                                     .x = x.data(),
                                     .w = w.data(),
                                     .b = b.data(),
                                     .rows = 2,
                                     .cols = 8,
                                     .eps = kEps});
  for (long c = 0; c < 8; ++c) EXPECT_TRUE(std::isnan(y[c]) && std::isfinite(y[8 + c]));
}

}  // namespace
}  // namespace lookhere
