// Error bounds of the polynomials, over dense sweeps of floats.
#include "kernels/simd/math.h"

#include <bit>

#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

using kernels::KERNELS_ISA::fast_exp;
using kernels::KERNELS_ISA::fast_exp2_of_negative;
using kernels::KERNELS_ISA::fast_log1p;
using kernels::KERNELS_ISA::fast_tanh;
using kernels::KERNELS_ISA::normal;

// The distance from `want` to the next float.
double ulp(double want) {
  const float f = std::abs(static_cast<float>(want));
  return static_cast<double>(std::nextafter(f, kInf<float>)) - static_cast<double>(f);
}

// f(x) for floats of both signs from 2^-40 to `limit`, `step` bit patterns apart.
template <class F>
void sweep(float limit, std::uint32_t step, F f) {
  const auto end = std::bit_cast<std::uint32_t>(limit);
  for (auto bits = std::bit_cast<std::uint32_t>(0x1p-40F); bits <= end; bits += step) {
    f(std::bit_cast<float>(bits));
    f(-std::bit_cast<float>(bits));
  }
}

TEST(VectorMath, FastExpIsWithinTwoUlp) {
  double worst = 0;
  sweep(88.7F, 311, [&](float x) {
    if (x < -86.6F) return;
    const double want = std::exp(static_cast<double>(x));
    worst = worse(worst, std::abs(static_cast<double>(fast_exp(x)) - want) / ulp(want));
  });
  EXPECT_LT(worst, 2);
}

TEST(VectorMath, FastExpAtTheEdges) {
  EXPECT_EQ(fast_exp(0.F), 1);
  EXPECT_EQ(fast_exp(-0.F), 1);
  for (const float x : {-86.7F, -100.F, -1e4F, -1e30F, -kInf<float>}) EXPECT_EQ(fast_exp(x), 0) << x;
  for (const float x : {88.73F, 100.F, 1e4F, 1e30F, kInf<float>}) EXPECT_EQ(fast_exp(x), kInf<float>) << x;
  EXPECT_NEAR(fast_exp(88.72F) / std::exp(88.72F), 1, 1e-6);
  EXPECT_GT(fast_exp(-86.59F), 0);
  EXPECT_TRUE(std::isnan(fast_exp(kNaN<float>)));
  EXPECT_TRUE(std::isnan(fast_exp(-kNaN<float>)));
  EXPECT_EQ(fast_exp(-kInf<double>), 0);
  EXPECT_TRUE(std::isnan(fast_exp(kNaN<double>)));
}

TEST(VectorMath, FastExp2IsWithinTwoUlp) {
  double worst = 0;
  sweep(126, 311, [&](float x) {
    if (x > 0) return;
    const double want = std::exp2(static_cast<double>(x));
    worst = worse(worst, std::abs(static_cast<double>(fast_exp2_of_negative(x)) - want) / ulp(want));
  });
  EXPECT_LT(worst, 2);
  EXPECT_EQ(fast_exp2_of_negative(0.F), 1);
  for (const float x : {-127.F, -1e4F, -1e30F, -kInf<float>}) EXPECT_EQ(fast_exp2_of_negative(x), 0) << x;
  EXPECT_TRUE(std::isnan(fast_exp2_of_negative(kNaN<float>)));
}

TEST(VectorMath, FastLog1pIsWithinThreeUlp) {
  double worst = 0;
  sweep(1, 311, [&](float x) {
    if (x < 0) return;
    const double want = std::log1p(static_cast<double>(x));
    worst = worse(worst, std::abs(static_cast<double>(fast_log1p(x)) - want) / ulp(want));
  });
  EXPECT_LT(worst, 3);
  EXPECT_EQ(fast_log1p(0.F), 0);
  EXPECT_TRUE(std::isnan(fast_log1p(kNaN<float>)));
}

TEST(VectorMath, FastTanhIsWithinThreeUlp) {
  double worst = 0;
  sweep(12, 311, [&](float x) {
    const double want = std::tanh(static_cast<double>(x));
    worst = worse(worst, std::abs(static_cast<double>(fast_tanh(x)) - want) / ulp(want));
  });
  EXPECT_LT(worst, 3);
}

TEST(VectorMath, FastTanhAtTheEdges) {
  EXPECT_EQ(fast_tanh(0.F), 0);
  for (const float x : {10.F, 1e4F, 1e30F, kInf<float>}) {
    EXPECT_EQ(fast_tanh(x), 1) << x;
    EXPECT_EQ(fast_tanh(-x), -1) << x;
  }
  EXPECT_EQ(fast_tanh(1e-30F), 1e-30F);
  EXPECT_TRUE(std::isnan(fast_tanh(kNaN<float>)));
  EXPECT_EQ(fast_tanh(0.5), std::tanh(0.5));
}

double cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.)); }

TEST(VectorMath, NormalDistributionIsRelativelyExactInTheTails) {
  double worst = 0, worst_density = 0;
  sweep(13, 1009, [&](float x) {
    // The exponent -x²/2 is itself rounded: a relative error of ε·x²/2 in the result.
    const double allowed = kEpsilon<float> * (4 + 0.5 * x * x);
    const double want = cdf(x), density = std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI);
    if (want > 2e-38) worst = worse(worst, std::abs(normal(x).cdf / want - 1) / allowed);  // a normal float
    worst_density = worse(worst_density, std::abs(normal(x).density / density - 1) / allowed);
  });
  EXPECT_LT(worst, 1);
  EXPECT_LT(worst_density, 1);
}

TEST(VectorMath, GeluIsAbsolutelyExact) {
  double worst = 0;
  sweep(13, 1009, [&](float x) {
    const double want = static_cast<double>(x) * cdf(x);
    worst = worse(worst, std::abs(x * normal(x).cdf - want) / std::max(1., std::abs(want)));
  });
  EXPECT_LT(worst, 2 * kEpsilon<float>);
}

TEST(VectorMath, NormalAtTheEdges) {
  EXPECT_EQ(normal(0.F).cdf, 0.5F);
  for (const float x : {20.F, 1e10F, kInf<float>}) {
    EXPECT_EQ(normal(x).cdf, 1) << x;
    EXPECT_EQ(normal(-x).cdf, 0) << x;
    EXPECT_EQ(normal(x).density, 0) << x;
  }
  EXPECT_TRUE(std::isnan(normal(kNaN<float>).cdf));
  for (const double x : {-30., -5., 0., 1e-9, 3.}) EXPECT_NEAR(normal(x).cdf / cdf(x), 1, 1e-12);
}

}  // namespace
}  // namespace lookhere
