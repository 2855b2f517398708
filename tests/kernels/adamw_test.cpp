// AdamW against the formulas of the paper, one weight at a time in f64, over several steps.
#include "kernels/adamw.h"

#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

struct Options {
  double lr = 0.01, decay = 0, ema_decay = 0, gradient_scale = 1;
  bool ema = false;
};
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;

struct Weight {
  double w, m = 0, v = 0, ema = 0;
  void step(const Options& o, double g, int t) {
    g *= o.gradient_scale;
    m = kBeta1 * m + (1 - kBeta1) * g;
    v = kBeta2 * v + (1 - kBeta2) * g * g;
    w -= o.lr * o.decay * w;
    w -= o.lr * (m / (1 - std::pow(kBeta1, t))) / (std::sqrt(v / (1 - std::pow(kBeta2, t))) + kEps);
    ema = o.ema_decay * ema + (1 - o.ema_decay) * w;
  }
};

template <class T, class Context>
void expect_match(Context context, const Options& o, long n) {
  const std::vector<T> start = random_values<T>(n, 1);
  std::vector<T> w = start, m(n), v(n), ema(n);
  std::vector<Weight> want;
  for (const T value : start) want.push_back({.w = static_cast<double>(value)});
  for (int t = 1; t <= 6; ++t) {
    const std::vector<T> g = random_values<T>(n, 10 + t, -3, 3);
    for (long i = 0; i < n; ++i) want[i].step(o, g[i], t);
    kernels::adamw<T>(context, {.w = w.data(),
                                .m = m.data(),
                                .v = v.data(),
                                .ema = o.ema ? ema.data() : nullptr,
                                .g = g.data(),
                                .n = n,
                                .lr = o.lr,
                                .beta1 = kBeta1,
                                .beta2 = kBeta2,
                                .eps = kEps,
                                .decay = o.decay,
                                .ema_decay = o.ema_decay,
                                .bias1 = 1 - std::pow(kBeta1, t),
                                .bias2 = 1 - std::pow(kBeta2, t),
                                .gradient_scale = o.gradient_scale});
  }
  // In f32 1 - β2 = 0.001 has lost four digits.
  const double tolerance = std::is_same_v<T, float> ? 1e-4 : 1e-12;
  for (long i = 0; i < n; ++i) {
    ASSERT_NEAR(w[i], want[i].w, 0.1 * tolerance);
    ASSERT_NEAR(m[i], want[i].m, tolerance);
    ASSERT_NEAR(v[i], want[i].v, tolerance * (0.01 + want[i].v));
    ASSERT_NEAR(ema[i], o.ema ? want[i].ema : 0, 0.1 * tolerance);
  }
}

TEST(AdamW, MatchesTheFormulas) {
  for_each_context([](auto context) {
    const Options options[] = {{},
                               {.decay = 0.05},
                               {.gradient_scale = 0.1},
                               {.ema_decay = 0.9, .ema = true},
                               {.lr = 1e-3, .decay = 0.5, .ema_decay = 0.5, .gradient_scale = 0.5, .ema = true},
                               {.lr = 0, .decay = 0.5}};
    for_each_type([&]<class T>(T) {
      for (const Options& o : options)
        for (const long n : {1L, 5L, 4097L}) expect_match<T>(context, o, n);
    });
  });
}

// With no gradient ever, 0 / (0 + ε): weights only shrink.
TEST(AdamW, ZeroGradientOnlyDecays) {
  for_each_context([](auto context) {
    std::vector<double> w{2}, m{0}, v{0};
    const std::vector<double> g{0};
    kernels::adamw<double>(context, {.w = w.data(),
                                     .m = m.data(),
                                     .v = v.data(),
                                     .g = g.data(),
                                     .n = 1,
                                     .lr = 0.1,
                                     .beta1 = kBeta1,
                                     .beta2 = kBeta2,
                                     .eps = kEps,
                                     .decay = 0.5,
                                     .bias1 = 0.1,
                                     .bias2 = 0.001});
    EXPECT_DOUBLE_EQ(w[0], 1.9);
  });
}

}  // namespace
}  // namespace lookhere
