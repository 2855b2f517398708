// FIRE's table against its formula, on the grid that the model is made for and on others.
#include <numbers>

#include "tests/vit/position_cases.h"

namespace lookhere {
namespace {

// b(d) by the formula with parameters from the rule, also where the grid is beyond L times the model's.
TEST(Fire, IsTheFormula) {
  const PositionConfig fire = position_preset("fire");
  const PositionSizes z{.heads = 2, .depth = 2, .dim = 8, .grid = {3, 4}};
  const double trained = std::hypot(2, 3);
  for (const Grid grid : {Grid{3, 4}, {5, 6}, {9, 2}, {1, 1}}) {
    const std::vector<Var> inputs = first_inputs(fire, z, grid);
    ASSERT_EQ(inputs.size(), 11U);
    EXPECT_EQ(to_vector<double>(inputs[5].value()), (std::vector<double>{0.1, 2}));
    const auto table = to_vector<double>(fire->table(z, inputs, grid, 1).value());
    const auto values = [&](long i) { return inputs[5 + i].value().host<double>(); };
    const double longest = std::max(1.0, std::hypot(grid.y - 1, grid.x - 1)), c = 0.1 + 1e-6;
    for (long h = 0; h < 2; ++h)
      for (long dy = 1 - grid.y; dy < grid.y; ++dy)
        for (long dx = 1 - grid.x; dx < grid.x; ++dx) {
          const double y = std::log(1 + c * std::hypot(dy, dx)) / std::log(1 + c * std::max(2 * trained, longest));
          double want = values(4)[h];
          for (long k = 0; k < 32; ++k) {
            const double x = values(1)[k] * y + values(2)[k];
            want += values(3)[h * 32 + k] * x * 0.5 * std::erfc(-x / std::numbers::sqrt2);
          }
          EXPECT_NEAR(table[(h * (2 * grid.y - 1) + grid.y - 1 - dy) * (2 * grid.x - 1) + grid.x - 1 - dx], want,
                      1e-12);
        }
  }
  EXPECT_FALSE(fire->prefix(z, {}, z.grid, 0).defined());
}

TEST(Fire, IsTheSameInBf16AndOnAGpu) { expect_same_everywhere(small_config(position_preset("fire"), 3)); }

}  // namespace
}  // namespace lookhere
