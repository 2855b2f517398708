// Both classification losses against their formulas in f64, for labels, smoothed labels and soft targets.
#include "kernels/softmax_loss.h"

#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

enum class Kind { softmax, binary };
constexpr Kind kKinds[] = {Kind::softmax, Kind::binary};

template <class T>
struct Result {
  std::vector<T> loss, dlogits;
};

template <class T, class Context>
Result<T> run(Context context, Kind kind, const std::vector<T>& logits, const kernels::Targets<T>& targets, long rows,
              T gradient_scale) {
  Result<T> result{std::vector<T>(rows), logits};  // in place: dlogits may alias logits
  const kernels::ClassLoss<T> problem{.loss = result.loss.data(),
                                      .dlogits = result.dlogits.data(),
                                      .logits = result.dlogits.data(),
                                      .targets = targets,
                                      .rows = rows,
                                      .classes = static_cast<long>(logits.size()) / rows,
                                      .gradient_scale = gradient_scale};
  kind == Kind::softmax ? kernels::softmax_cross_entropy(context, problem)
                        : kernels::binary_cross_entropy(context, problem);
  return result;
}

// The textbook formulas, which overflow for large logits.
template <class T>
Result<double> reference(Kind kind, const std::vector<T>& x, const std::vector<double>& t, long rows, double scale) {
  const long classes = static_cast<long>(x.size()) / rows;
  Result<double> want{std::vector<double>(rows), std::vector<double>(x.size())};
  for (long r = 0; r < rows; ++r) {
    double sum = 0, target_sum = 0;
    for (long i = r * classes; i < (r + 1) * classes; ++i) sum += std::exp(x[i]), target_sum += t[i];
    for (long i = r * classes; i < (r + 1) * classes; ++i) {
      const double sigmoid = 1 / (1 + std::exp(-static_cast<double>(x[i])));
      if (kind == Kind::softmax) {
        want.loss[r] -= t[i] * std::log(std::exp(x[i]) / sum);
        want.dlogits[i] = (std::exp(x[i]) / sum * target_sum - t[i]) * scale;
      } else {
        want.loss[r] -= t[i] * std::log(sigmoid) + (1 - t[i]) * std::log(1 - sigmoid);
        want.dlogits[i] = (sigmoid - t[i]) * scale;
      }
    }
  }
  return want;
}

template <class T>
void expect_match(const Result<T>& got, const Result<double>& want) {
  EXPECT_LT(worst_error(got.loss, want.loss), 100 * kEpsilon<T>);
  EXPECT_LT(worst_error(got.dlogits, want.dlogits), 100 * kEpsilon<T>);
}

TEST(SoftmaxLoss, MatchesFormulas) {
  for_each_context([](auto context) {
    for_each_type([&]<class T>(T) {
      for (const Kind kind : kKinds)
        for (const auto& [rows, classes] : {std::pair{1L, 1L}, {1L, 2L}, {5L, 10L}, {33L, 1000L}}) {
          const std::vector<T> x = random_values<T>(rows * classes, 1, -5, 5);
          std::vector<std::int64_t> labels(rows);
          for (long r = 0; r < rows; ++r) labels[r] = r * 7 % classes;
          for (const double smoothing : {0., 0.1, 0.9}) {
            std::vector<double> t(x.size(), smoothing / static_cast<double>(classes));
            for (long r = 0; r < rows; ++r) t[r * classes + labels[r]] += 1 - smoothing;
            expect_match(run<T>(context, kind, x, {.labels = labels.data(), .smoothing = T(smoothing)}, rows, T(0.25)),
                         reference(kind, x, t, rows, 0.25));
          }
          const std::vector<T> weights = random_values<T>(rows * classes, 2, 0, 0.1);  // need not sum to 1
          expect_match(run<T>(context, kind, x, {.weights = weights.data()}, rows, T(1)),
                       reference(kind, x, std::vector<double>(weights.begin(), weights.end()), rows, 1));
        }
    });
  });
}

TEST(SoftmaxLoss, LargeLogits) {
  for_each_context([](auto context) {
    for_each_type([&]<class T>(T) {
      const std::vector<T> x{100, -100, 0, -1000, 1000, 999};
      const std::vector<std::int64_t> right{0, 1}, wrong{1, 0};
      const Result<T> good = run<T>(context, Kind::softmax, x, {.labels = right.data()}, 2, 1);
      EXPECT_NEAR(good.loss[0], 0, 1e-30);
      EXPECT_NEAR(good.loss[1], std::log(1 + std::exp(-1.)), 1e-4);
      const Result<T> bad = run<T>(context, Kind::softmax, x, {.labels = wrong.data()}, 2, 1);
      EXPECT_NEAR(bad.loss[0], 200, 1e-4);
      EXPECT_NEAR(bad.loss[1], 2000 + std::log(1 + std::exp(-1.)), 1e-3);
      EXPECT_NEAR(bad.dlogits[0], 1, 1e-6);
      EXPECT_NEAR(bad.dlogits[1], -1, 1e-6);
      const Result<T> binary = run<T>(context, Kind::binary, x, {.labels = wrong.data()}, 2, 1);
      EXPECT_NEAR(binary.loss[0], 100 + 100 + std::log(2.), 1e-4);
      EXPECT_NEAR(binary.loss[1], 1000 + 1000 + 999, 1e-3);
      for (const T value : binary.dlogits) EXPECT_TRUE(std::abs(value) <= 1);
    });
  });
}

// A model that has diverged must show: in the loss, not only in the gradient.
TEST(SoftmaxLoss, NanReachesTheLoss) {
  for_each_context([](auto context) {
    for (const Kind kind : kKinds)
      for (long at = 0; at < 3; ++at) {
        std::vector<float> x{1, 2, 3};
        x[at] = kNaN<float>;
        const std::vector<std::int64_t> label{1};
        EXPECT_TRUE(std::isnan(run<float>(context, kind, x, {.labels = label.data()}, 1, 1).loss[0])) << at;
      }
  });
}

TEST(SoftmaxLoss, ALabelThatIsNoClassReachesTheLoss) {
  for_each_context([](auto context) {
    for (const Kind kind : kKinds)
      for (const std::int64_t label : {std::int64_t{-1}, std::int64_t{3}, std::int64_t{1} << 32}) {
        const std::vector<float> x{1, 2, 3, 1, 2, 3};
        const std::vector<std::int64_t> labels{label, 1};
        const Result<float> result = run<float>(context, kind, x, {.labels = labels.data()}, 2, 1);
        EXPECT_TRUE(std::isnan(result.loss[0]) && std::isnan(result.dlogits[0])) << label;
        EXPECT_TRUE(std::isfinite(result.loss[1])) << label;
      }
  });
}

}  // namespace
}  // namespace lookhere
