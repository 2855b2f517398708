// Encodings whose offsets have a scale: halved, every second patch of a grid of 2n - 1 is where those of n were.
#include "vit/model/position/scaled.h"

#include "tests/testing.h"
#include "vit/model/position/position.h"

namespace lookhere {
namespace {

constexpr Grid kGrid{3, 4}, kTwice{5, 7};

PositionConfig scaled_by(const std::string& name, double scale) {
  PositionOptions options;
  options["position-scale"] = scale;
  return position_preset(name, options);
}

// What one encoding makes of positions on a grid, if it does so by this hook: [..., grid.y, grid.x, features].
struct OnGrid {
  long y, x, features;
  std::vector<double> values;
};

OnGrid by_offset(const Var& table) {
  const Shape& shape = table.shape();
  const Tensor last = table.value().clone();  // [heads, y, x]
  OnGrid made{shape[1], shape[2], shape[0], std::vector<double>(last.numel())};
  for (long head = 0; head < shape[0]; ++head)
    for (long i = 0; i < shape[1] * shape[2]; ++i)
      made.values[i * shape[0] + head] = last.host<double>()[head * shape[1] * shape[2] + i];
  return made;
}

OnGrid made_by(const PositionConfig& config, Grid grid) {
  const PositionSizes sizes{.heads = 2, .depth = 1, .dim = 16, .grid = kGrid, .prefix = 1};
  Init init(3, Dtype::f64, Device::cpu);
  std::vector<Var> inputs;
  for (const PositionParameter& p : config->parameters(sizes)) inputs.push_back(p.init(init, p.shape));
  for (const Tensor& constant : config->constants(sizes, grid, Dtype::f64)) inputs.emplace_back(constant);
  if (const Var table = config->table(sizes, inputs, grid, 0); table.defined()) return by_offset(table);
  if (const Var table = config->by_position(sizes, inputs, grid, 0).table; table.defined()) return by_offset(table);
  if (const Var angles = config->angles(sizes, inputs, grid, 0); angles.defined())
    return {grid.y, grid.x, angles.shape()[1], to_vector<double>(angles.value())};
  // Coordinates of a bias of each query's own: what counts is how far two lie apart.
  const auto bias = config->by_query(sizes, inputs, grid, 0);
  const auto at = to_vector<double>(bias(Var(random({2 + grid.patches(), 16}, 4, Dtype::f64))).at);
  OnGrid made{grid.y, grid.x, 2, {at.begin() + 2 * sizes.prefix, at.end()}};
  for (std::size_t i = made.values.size(); i-- > 0;) made.values[i] -= made.values[i % 2];
  return made;
}

TEST(PositionScale, HalvedOffsetsAreThoseOfTraining) {
  long encodings = 0;
  for (const PositionType& type : position_types())
    for (const PositionOption& option : type.options) {
      if (std::string_view(option.name) != "position-scale") continue;
      const std::string& name = type.names[0];
      SCOPED_TRACE(name);
      ++encodings;
      const OnGrid small = made_by(position_preset(name), kGrid), large = made_by(scaled_by(name, 0.5), kTwice);
      ASSERT_EQ(large.features, small.features);
      ASSERT_GE(large.y, 2 * small.y - 1);
      for (long y = 0; y < small.y; ++y)
        for (long x = 0; x < small.x; ++x)
          for (long f = 0; f < small.features; ++f)
            ASSERT_NEAR(large.values[(2 * y * large.x + 2 * x) * large.features + f],
                        small.values[(y * small.x + x) * small.features + f], 1e-12)
                << y << " " << x << " " << f;
      EXPECT_NE(made_by(scaled_by(name, 0.5), kGrid).values, small.values);
      EXPECT_EQ(made_by(scaled_by(name, 1), kGrid).values, small.values);
    }
  EXPECT_EQ(encodings, 5);
}

TEST(PositionScale, IsPartOfTheConfigurationWhereItIsNotOne) {
  EXPECT_FALSE(to_json(position_preset("pape")).contains("scale"));
  const PositionConfig half = scaled_by("fire", 0.5);
  EXPECT_EQ(to_json(half), (nlohmann::json{{"type", "fire"}, {"scale", 0.5}}));
  EXPECT_TRUE(position_from_json(to_json(half)) == half);
  EXPECT_TRUE(scaled_by("fire", 1) == position_preset("fire"));
  EXPECT_EQ(half->tunable()->value, 0.5);
  EXPECT_ERROR(scaled_by("gpsa", 1e-4), "--position-scale: wanted 0.001 to 1000, got 0.0001");
  EXPECT_ERROR(scaled_by("rope", 0.5), "--position-scale belongs to --position gpsa, rope-mixed, fire, pape");
  EXPECT_ERROR(position_from_json({{"type", "pape"}, {"scale", 0}}), "config: 'scale' must be in [0.001, 1000], got 0");
}

}  // namespace
}  // namespace lookhere
