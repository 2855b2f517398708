// Activations and gates against their formulas in f64, for every type.
#include "kernels/activation/activation.h"

#include "tests/kernels/activation/oracle.h"
#include "tests/kernels/cases.h"
#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

using kernels::Activation;

constexpr long kCounts[] = {1, 3, 64, 4095, 4096, 4097, 30001};  // around a block of parallel_blocks

TEST(Activation, IsItsFormulaAlsoInPlace) {
  for_each_context_and_type([]<class T>(auto context, T) {
    for (const Activation function : kernels::kEveryActivation)
      for (const long n : kCounts) {
        const std::vector<T> x = random_values<T>(n, 1, -9, 9), dy = random_values<T>(n, 2);
        std::vector<T> y = x, dx = dy;
        kernels::activate<T>(context, {.y = y.data(), .x = y.data(), .n = n, .function = function});
        kernels::activate_backward<T>(context,
                                      {.dx = dx.data(), .dy = dx.data(), .x = x.data(), .n = n, .function = function});
        std::vector<double> value(n), gradient(n);
        for (long i = 0; i < n; ++i) {
          value[i] = kernels::oracle_of(function).value(as_f64(x[i]));
          gradient[i] = as_f64(dy[i]) * kernels::oracle_of(function).slope(as_f64(x[i]));
        }
        EXPECT_LT(worst_error(y, value), tolerance<T>(8)) << name_of(function) << " " << n;
        EXPECT_LT(worst_error(dx, gradient), tolerance<T>(64)) << name_of(function) << " " << n;
      }
  });
}

TEST(Activation, GatesTheSecondHalf) {
  for_each_context_and_type([]<class T>(auto context, T) {
    for (const Activation function : kernels::kEveryActivation)
      for (const auto& [rows, cols] : {std::pair{1L, 1L}, {3L, 17L}, {70L, 300L}, {2L, 513L}, {3L, 64L}}) {
        const std::vector<T> x = random_values<T>(2 * rows * cols, 1, -6, 6), dy = random_values<T>(rows * cols, 2);
        std::vector<T> y(rows * cols), dx(2 * rows * cols);
        kernels::gate<T>(context, {.y = y.data(), .x = x.data(), .rows = rows, .cols = cols, .function = function});
        kernels::gate_backward<T>(
            context,
            {.dx = dx.data(), .dy = dy.data(), .x = x.data(), .rows = rows, .cols = cols, .function = function});
        std::vector<double> value, gradient(2 * rows * cols);
        for (long r = 0; r < rows; ++r)
          for (long c = 0; c < cols; ++c) {
            const long at = 2 * r * cols + c;
            const double a = as_f64(x[at]), b = as_f64(x[at + cols]), d = as_f64(dy[r * cols + c]);
            const kernels::ActivationOracle f = kernels::oracle_of(function);
            value.push_back(f.value(a) * b);
            gradient[at] = d * b * f.slope(a), gradient[at + cols] = d * f.value(a);
          }
        EXPECT_LT(worst_error(y, value), tolerance<T>(64)) << name_of(function) << " " << rows << " " << cols;
        EXPECT_LT(worst_error(dx, gradient), tolerance<T>(64)) << name_of(function) << " " << rows << " " << cols;
      }
  });
}

TEST(Activation, FarFromZeroItIsAllOrNothing) {
  for (const Activation function : kernels::kEveryActivation) {
    const std::vector<float> x{-80, -1000, 80, 1000, 0}, want{0, 0, 80, 1000, 0};
    std::vector<float> y(x.size());
    kernels::activate<float>(Cpu{}, {.y = y.data(), .x = x.data(), .n = std::ssize(x), .function = function});
    for (std::size_t i = 0; i < x.size() - (function == Activation::softplus ? 1 : 0); ++i)  // it is log 2 at 0
      EXPECT_NEAR(y[i], want[i], 1e-30) << name_of(function) << " " << x[i];
  }
}

TEST(Activation, HasAName) {
  EXPECT_STREQ(name_of(Activation::gelu), "gelu");
  EXPECT_STREQ(name_of(Activation::silu), "silu");
  EXPECT_STREQ(name_of(Activation::gelu_tanh), "gelu_tanh");
  EXPECT_STREQ(name_of(Activation::quick_gelu), "quick_gelu");
}

}  // namespace
}  // namespace lookhere
