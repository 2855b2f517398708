// Layer normalisation against sums in f64, over sizes that straddle the vector width and far from zero.
#include "kernels/layer_norm.h"

#include "tests/kernels/cases.h"
#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

constexpr double kEps = 1e-6;

// T is the type of y and dy, A that of the residual stream x, the parameters and their gradients.
template <class T>
struct Case {
  using A = Acc<T>;
  long rows, cols;
  std::vector<A> x, w, b, residual;
  std::vector<T> dy;
  std::vector<double> mean, rstd;

  Case(long rows, long cols, double center)
      : rows(rows),
        cols(cols),
        x(random_values<A>(rows * cols, 1, center - 1, center + 1)),
        w(random_values<A>(cols, 3)),
        b(random_values<A>(cols, 4)),
        residual(random_values<A>(rows * cols, 5)),
        dy(random_values<T>(rows * cols, 2)) {
    for (long r = 0; r < rows; ++r) {
      double sum = 0, squares = 0;
      for (long c = 0; c < cols; ++c) sum += x[r * cols + c];
      mean.push_back(sum / static_cast<double>(cols));
      for (long c = 0; c < cols; ++c) squares += std::pow(x[r * cols + c] - mean[r], 2);
      rstd.push_back(1 / std::sqrt(squares / static_cast<double>(cols) + kEps));
    }
  }
  double normalised(long r, long c) const { return (x[r * cols + c] - mean[r]) * rstd[r]; }
  // What rounding the mean to A costs: E[x²] - E[x]² would cost the square of it.
  double bound(long r) const { return 16 * kEpsilon<A> * (1 + std::abs(mean[r]) * rstd[r]); }
  double largest_bound() const {
    double largest = 0;
    for (long r = 0; r < rows; ++r) largest = std::max(largest, bound(r));
    return largest;
  }
};

// On a GPU what matters is where warps end.
template <class Context, class F>
void for_each_case(Context, F f) {
  constexpr bool kGpu = std::is_same_v<Context, kernels::Cuda>;
  for_each_type_and_bf16([&]<class T>(T) {
    for (long cols = 1; cols <= 70; cols += kGpu && cols % 32 > 1 && cols % 32 < 30 ? 14 : 1)
      for (const long rows : {1, 5})
        for (const double center : {0., 1000.}) f(Case<T>(rows, cols, center));
    f(Case<T>(300, 192, 0.5));  // large enough to run on several threads, in several parts of rows
    if (kGpu)
      for (const long cols : {768, 772, 1536, 1540}) f(Case<T>(2, cols, 0.5));  // what a warp keeps in f64 and in f32
  });
}

template <class T>
kernels::LayerNorm<T> forward_of(const Case<T>& t, std::vector<T>& y, std::vector<Acc<T>>& mean,
                                 std::vector<Acc<T>>& rstd) {
  return {.y = y.data(),
          .mean = mean.data(),
          .rstd = rstd.data(),
          .x = t.x.data(),
          .w = t.w.data(),
          .b = t.b.data(),
          .rows = t.rows,
          .cols = t.cols,
          .eps = kEps};
}

template <class Context, class T>
void expect_forward_matches(Context context, const Case<T>& t) {
  std::vector<T> y(t.x.size(), kNaN<T>);
  std::vector<Acc<T>> mean(t.rows), rstd(t.rows);
  auto problem = forward_of(t, y, mean, rstd);
  if constexpr (std::is_same_v<T, Acc<T>>) y = t.x, problem.x = y.data();  // in place: y may alias x
  kernels::layer_norm<T>(context, problem);
  EXPECT_LT(worst_error(mean, t.mean), 4 * kEpsilon<Acc<T>>);
  for (long r = 0; r < t.rows; ++r) {
    EXPECT_NEAR(rstd[r] / t.rstd[r], 1, t.bound(r)) << t.cols;
    for (long c = 0; c < t.cols; ++c) {
      const double want = t.normalised(r, c) * t.w[c] + t.b[c];
      const double allowed = t.bound(r) + tolerance<T>(0) * std::abs(want);
      ASSERT_NEAR(as_f64(y[r * t.cols + c]), want, allowed) << t.cols << " at " << c;
    }
  }
}

TEST(LayerNorm, MatchesSumsInF64) {
  for_each_context([](auto context) {
    for_each_case(context, [&]<class T>(const Case<T>& t) { expect_forward_matches(context, t); });
  });
}

// A GPU reads rows as vectors only where they may begin, and adds in the same order elsewhere.
TEST(LayerNorm, SameBitsWhereverRowsLie) {
  for_each_schedule([] {
    for_each_type_and_bf16([]<class T>(T) {
      const Case<T> t(3, 192, 1);
      std::vector<T> y(t.x.size()), later_y(t.x.size());
      std::vector<Acc<T>> mean(3), rstd(3), later_mean(3), later_rstd(3), later_x{0};
      kernels::layer_norm<T>(kernels::Cuda{}, forward_of(t, y, mean, rstd));
      later_x.insert(later_x.end(), t.x.begin(), t.x.end());
      auto later = forward_of(t, later_y, later_mean, later_rstd);
      later.x = later_x.data() + 1;
      kernels::layer_norm<T>(kernels::Cuda{}, later);
      EXPECT_TRUE(same_bits(later_y, y) && same_bits(later_mean, mean) && same_bits(later_rstd, rstd));
    });
  });
}

struct Options {
  bool residual = false, accumulate = false, in_place = false;
};

// dw, db, then dx, in one vector.
template <class Context, class T>
std::vector<Acc<T>> gradients(Context context, const Case<T>& t, const Options& o = {}) {
  using A = Acc<T>;
  const std::vector<A> mean(t.mean.begin(), t.mean.end()), rstd(t.rstd.begin(), t.rstd.end());
  std::vector<A> all(2 * t.cols + t.x.size(), o.accumulate ? A(1) : kNaN<A>);
  A *dw = all.data(), *db = dw + t.cols, *dx = db + t.cols;
  const T* dy = t.dy.data();
  const A* residual = o.residual ? t.residual.data() : nullptr;
  if (o.in_place) {  // dx may alias dresidual, or dy if it has the same type
    if (o.residual) {
      std::copy(t.residual.begin(), t.residual.end(), dx);
      residual = dx;
    } else if constexpr (std::is_same_v<T, A>) {
      std::copy(t.dy.begin(), t.dy.end(), dx);
      dy = dx;
    }
  }
  kernels::layer_norm_backward<T>(context, {.dx = dx,
                                            .dw = dw,
                                            .db = db,
                                            .dy = dy,
                                            .x = t.x.data(),
                                            .mean = mean.data(),
                                            .rstd = rstd.data(),
                                            .w = t.w.data(),
                                            .dresidual = residual,
                                            .rows = t.rows,
                                            .cols = t.cols,
                                            .accumulate = o.accumulate});
  return all;
}

template <class Context, class T>
void expect_gradients_match(Context context, const Case<T>& t, const Options& o) {
  const auto all = gradients(context, t, o);
  const auto* dx = all.data() + 2 * t.cols;
  std::vector<double> want(2 * t.cols, o.accumulate ? 1 : 0);
  for (long r = 0; r < t.rows; ++r) {
    const auto dy = [&](long c) { return as_f64(t.dy[r * t.cols + c]); };
    double g_mean = 0, gx_mean = 0;
    for (long c = 0; c < t.cols; ++c) {
      g_mean += dy(c) * t.w[c] / static_cast<double>(t.cols);
      gx_mean += dy(c) * t.w[c] * t.normalised(r, c) / static_cast<double>(t.cols);
      want[c] += dy(c) * t.normalised(r, c);
      want[t.cols + c] += dy(c);
    }
    for (long c = 0; c < t.cols; ++c) {
      const double residual = o.residual ? static_cast<double>(t.residual[r * t.cols + c]) : 0;
      const double wanted = dy(c) * t.w[c] - g_mean - t.normalised(r, c) * gx_mean + residual / t.rstd[r];
      ASSERT_NEAR(dx[r * t.cols + c] / t.rstd[r], wanted, t.bound(r)) << t.cols;
    }
  }
  const std::vector<Acc<T>> sums(all.begin(), all.begin() + 2 * t.cols);
  EXPECT_LT(worst_error(sums, want), t.largest_bound() * static_cast<double>(t.rows)) << t.cols;
}

TEST(LayerNorm, BackwardMatchesSumsInF64) {
  for_each_context([](auto context) {
    for_each_case(context, [&]<class T>(const Case<T>& t) {
      for (const Options& o : {Options{}, {.in_place = true}, {.residual = true, .accumulate = true, .in_place = true}})
        expect_gradients_match(context, t, o);
    });
  });
}

// Without b and db: 0 for the mean, no term of g's mean.
template <class Context, class T>
void expect_rms_matches(Context context, const Case<T>& t) {
  using A = Acc<T>;
  std::vector<T> y(t.x.size(), kNaN<T>);
  std::vector<A> mean(t.rows), rstd(t.rows), dx(t.x.size(), kNaN<A>), dw(t.cols, kNaN<A>);
  auto problem = forward_of(t, y, mean, rstd);
  problem.b = nullptr;
  kernels::layer_norm<T>(context, problem);
  kernels::layer_norm_backward<T>(context, {.dx = dx.data(),
                                            .dw = dw.data(),
                                            .db = nullptr,
                                            .dy = t.dy.data(),
                                            .x = t.x.data(),
                                            .mean = mean.data(),
                                            .rstd = rstd.data(),
                                            .w = t.w.data(),
                                            .dresidual = t.residual.data(),
                                            .rows = t.rows,
                                            .cols = t.cols});
  const auto n = static_cast<double>(t.cols);
  std::vector<double> want_dw(t.cols), want_dx, want_y;
  for (long r = 0; r < t.rows; ++r) {
    double squares = 0, gx_mean = 0;
    for (long c = 0; c < t.cols; ++c) squares += std::pow(t.x[r * t.cols + c], 2);
    const double scale = 1 / std::sqrt(squares / n + kEps);
    const auto normalised = [&](long c) { return t.x[r * t.cols + c] * scale; };
    const auto g = [&](long c) { return as_f64(t.dy[r * t.cols + c]) * t.w[c]; };
    for (long c = 0; c < t.cols; ++c) gx_mean += g(c) * normalised(c) / n;
    for (long c = 0; c < t.cols; ++c) {
      want_y.push_back(normalised(c) * t.w[c]);
      want_dw[c] += as_f64(t.dy[r * t.cols + c]) * normalised(c);
      want_dx.push_back(scale * (g(c) - normalised(c) * gx_mean) + t.residual[r * t.cols + c]);
    }
  }
  EXPECT_LT(worst_error(y, want_y), tolerance<T>(16));
  EXPECT_LT(worst_error(dx, want_dx), 64 * kEpsilon<A>);
  EXPECT_LT(worst_error(dw, want_dw), 16 * kEpsilon<A> * static_cast<double>(t.rows));
}

TEST(LayerNorm, RmsNormMatchesSumsInF64) {
  for_each_context([](auto context) {
    for_each_type_and_bf16([&]<class T>(T) {
      for (const long cols : {1, 7, 33, 70}) expect_rms_matches(context, Case<T>(5, cols, 2));
      if (std::is_same_v<decltype(context), Cpu>) expect_rms_matches(context, Case<T>(300, 192, 0.5));
    });
  });
}

// So wide that dw and db have no room of their own per part of the rows.
TEST(LayerNorm, WideRows) {
  for_each_type_and_bf16([]<class T>(T) {
    const Case<T> wide(65, 70001, 0);
    expect_gradients_match(Cpu{}, wide, {.accumulate = true});
    expect_gradients_match(kernels::Cuda{}, wide, {.accumulate = true});
  });
}

TEST(LayerNorm, SameBitsForAnyThreads) {
  for_each_type_and_bf16([]<class T>(T) {
    const Case<T> t(500, 131, 1);
    expect_same_for_any_threads([&] { return gradients(Cpu{}, t); });
    expect_same_for_any_threads([&] {
      std::vector<T> y(t.x.size());
      std::vector<Acc<T>> mean(t.rows), rstd(t.rows);
      kernels::layer_norm<T>(Cpu{}, forward_of(t, y, mean, rstd));
      return y;
    });
  });
}

TEST(LayerNorm, NanStaysInItsRow) {
  for_each_type_and_bf16([]<class T>(T) {
    Case<T> t(2, 37, 0);
    t.x[3] = kNaN<Acc<T>>;
    std::vector<T> y(t.x.size());
    std::vector<Acc<T>> mean(t.rows), rstd(t.rows);
    kernels::layer_norm<T>(Cpu{}, forward_of(t, y, mean, rstd));
    for (long c = 0; c < t.cols; ++c)
      EXPECT_TRUE(std::isnan(as_f64(y[c])) && std::isfinite(as_f64(y[t.cols + c]))) << c;
  });
}

// In the gradient too, but every row is in dw and db.
TEST(LayerNorm, BackwardShowsNan) {
  for_each_type_and_bf16([]<class T>(T) {
    Case<T> t(2, 37, 0);
    t.dy[3] = kNaN<T>;
    const auto all = gradients(Cpu{}, t);
    for (long c = 0; c < t.cols; ++c) {
      EXPECT_EQ(std::isnan(all[c]), c == 3);
      EXPECT_EQ(std::isnan(all[t.cols + c]), c == 3);
      EXPECT_TRUE(std::isnan(all[2 * t.cols + c]) && std::isfinite(all[3 * t.cols + c])) << c;
    }
  });
}

}  // namespace
}  // namespace lookhere
