// The learning rate at every corner of its curve.
#include "nn/schedule.h"

#include "tests/testing.h"

namespace lookhere {
namespace {

TEST(Schedule, Values) {
  const Schedule s{.peak = 1, .start = 0.2, .end = 0.1, .warmup_steps = 4, .total_steps = 12};
  const std::pair<long, double> cases[] = {
      {0, 0.2},
      {1, 0.4},
      {2, 0.6},
      {3, 0.8},                                // a straight line
      {4, 1},                                  // the top
      {6, 0.1 + 0.45 * (1 + std::sqrt(0.5))},  // a quarter of the cosine
      {8, 0.55},
      {10, 0.1 + 0.45 * (1 - std::sqrt(0.5))},
      {12, 0.1},
      {13, 0.1},
      {1'000'000'000'000, 0.1},
  };
  for (const auto& [step, want] : cases) EXPECT_NEAR(s.at(step), want, 1e-15) << step;
  EXPECT_EQ(s.at(4), 1);
  EXPECT_EQ(s.at(12), 0.1);
}

// What timm 1.0.31's CosineLRScheduler gives for t_initial 10, lr_min 0.1, warmup_t 4, warmup_lr_init 0.2 and lr 1.
TEST(Schedule, CosineFromTheStart) {
  const Schedule s{
      .peak = 1, .start = 0.2, .end = 0.1, .warmup_steps = 4, .total_steps = 10, .cosine_from_start = true};
  const double want[] = {0.2,
                         0.4,
                         0.6,
                         0.8,
                         0.6890576474687263,
                         0.55,
                         0.41094235253127376,
                         0.2854966364683872,
                         0.18594235253127372,
                         0.12202456766718092,
                         0.1,
                         0.1};
  for (std::size_t step = 0; step < std::size(want); ++step)
    EXPECT_NEAR(s.at(static_cast<double>(step)), want[step], 1e-15) << step;
  Schedule no_warmup = s, other = s;
  no_warmup.warmup_steps = other.warmup_steps = 0, other.cosine_from_start = false;
  for (long step = 0; step < 12; ++step) EXPECT_EQ(no_warmup.at(step), other.at(step)) << step;
}

TEST(Schedule, RisesThenFalls) {
  const Schedule s{.peak = 3e-3, .start = 1e-6, .end = 0, .warmup_steps = 50, .total_steps = 500};
  for (long step = 0; step < 500; ++step) {
    EXPECT_EQ(s.at(step) < s.at(step + 1), step < 50) << step;
    EXPECT_LE(std::abs(s.at(step + 1) - s.at(step)), 3e-3 / 50 + 1e-12) << step;  // no jumps
  }
}

TEST(Schedule, OddCases) {
  const Schedule no_warmup{.peak = 1, .start = 0, .end = 0, .warmup_steps = 0, .total_steps = 2};
  EXPECT_EQ(no_warmup.at(0), 1);
  EXPECT_DOUBLE_EQ(no_warmup.at(1), 0.5);
  EXPECT_EQ(no_warmup.at(2), 0);
  const Schedule only_warmup{.peak = 1, .start = 0, .end = 0.25, .warmup_steps = 4, .total_steps = 4};
  EXPECT_EQ(only_warmup.at(3), 0.75);
  EXPECT_EQ(only_warmup.at(4), 0.25);
  const Schedule constant{.peak = 1e-5, .start = 1e-5, .end = 1e-5, .warmup_steps = 3, .total_steps = 9};
  for (long step = 0; step < 12; ++step) EXPECT_DOUBLE_EQ(constant.at(step), 1e-5);
}

}  // namespace
}  // namespace lookhere
