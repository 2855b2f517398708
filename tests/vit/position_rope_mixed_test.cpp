// RoPE-Mixed: its first frequencies, its angles on any grid, and axial RoPE as one of its cases.
#include "tests/vit/position_cases.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

// Half of the frequencies lie along one axis, half across it; 10^(-4k / head size) of them both.
TEST(RopeMixed, BeginsAsTurnedAxes) {
  const PositionConfig mixed = position_preset("rope-mixed");
  const PositionSizes z{.heads = 3, .depth = 2, .dim = 24, .grid = {2, 2}};
  const std::vector<Var> inputs = first_inputs(mixed, z, z.grid);
  ASSERT_EQ(mixed->parameters(z).size(), 2U);
  EXPECT_EQ(mixed->parameters(z)[1].name, "blocks.1.attn.freqs");
  ASSERT_EQ(inputs[0].shape(), Shape({3, 4, 2}));
  std::set<double> directions;
  for (long layer = 0; layer < 2; ++layer)
    for (long h = 0; h < 3; ++h) {
      const double* f = inputs[layer].value().host<double>() + h * 8;
      for (long k = 0; k < 2; ++k) {
        const double size = k ? 1 / std::sqrt(10.0) : 1;
        EXPECT_NEAR(std::hypot(f[2 * k], f[2 * k + 1]), size, 1e-12);
        EXPECT_NEAR(f[2 * k + 4], f[2 * k + 1], 1e-12);  // sin(α + π/2) = cos α
        EXPECT_NEAR(f[2 * k + 5], -f[2 * k], 1e-12);
      }
      directions.insert(std::atan2(f[0], f[1]));
    }
  EXPECT_EQ(directions.size(), 6U);  // each head its own
}

TEST(RopeMixed, AnglesAreOfBothCoordinates) {
  const PositionConfig mixed = position_preset("rope-mixed");
  const PositionSizes z{.heads = 2, .depth = 1, .dim = 8, .grid = {2, 2}};
  const Grid grid{3, 5};  // beyond that of the model
  std::vector<Var> inputs = first_inputs(mixed, z, grid);
  const auto angles = to_vector<double>(mixed->angles(z, inputs, grid, 0).value());
  const double* f = inputs[0].value().host<double>();
  for (long patch = 0; patch < 15; ++patch)
    for (long k = 0; k < 4; ++k)
      EXPECT_NEAR(angles[patch * 4 + k],
                  f[2 * k] * static_cast<double>(patch / 5) + f[2 * k + 1] * static_cast<double>(patch % 5), 1e-12);
}

// With α = π/2 for a head it is axial RoPE of base 10, and so is the model.
TEST(RopeMixed, ContainsAxialRope) {
  PositionOptions options;
  options["rope-base"] = 10.0;
  ViT axial(small_config(position_preset("rope", options), 3), 1, Dtype::f64);
  ViT mixed(small_config(position_preset("rope-mixed"), 3), 1, Dtype::f64);
  NamedTensors weights;
  for_each_parameter(axial, [&](const std::string& name, const Var& v) { weights.emplace_back(name, v.value()); });
  for_each_parameter(mixed, [&](const std::string& name, Var& v) {
    const auto found = std::ranges::find(weights, name, &NamedTensors::value_type::first);
    if (found != weights.end()) return v.set_value(found->second);
    ASSERT_TRUE(name.ends_with("freqs"));
    const Tensor f = zeros(v.shape(), Dtype::f64);
    for (long i = 0; i < f.numel() / 2; ++i) {
      const double size = i % 2 ? 1 / std::sqrt(10.0) : 1;  // head size 8: two of rows, two of columns
      f.host<double>()[2 * i + (i % 4 < 2 ? 0 : 1)] = size;
    }
    v.set_value(f);
  });
  const Var images(rule_images({2, 2, 8, 6}, Dtype::f64));
  EXPECT_LT(max_relative_error(mixed(images).value(), axial(images).value()), 1e-12);
}

TEST(RopeMixed, RefusesHeadsWithoutPairs) {
  ViTConfig config = small_config(position_preset("rope-mixed"), 4);
  config.dim = 24;
  EXPECT_ERROR(config.validate(), "rope-mixed: the head size (dim / heads) must be a multiple of 4, got 6");
}

TEST(RopeMixed, IsTheSameInBf16AndOnAGpu) { expect_same_everywhere(small_config(position_preset("rope-mixed"), 3)); }

}  // namespace
}  // namespace lookhere
