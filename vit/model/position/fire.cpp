// FIRE (Li et al. 2024, arXiv 2310.04418) on two axes: the hook `table`. A small network of each layer makes a bias for
// every head of how far key and query lie apart:
//   b(d) = W2·gelu(W1·y + b1) + b2,  y = log(1 + c·d) / log(1 + c·max(L·D, D')),  d = scale·|offset|
// with c and L learned, 0.1 and 2 at first, D the longest distance on the grid that the model is made for and D' that
// on the one at hand, times the scale: up to L times the size nothing changes but how many distances there are, and
// beyond it y is squeezed into [0, 1]. The paper says ReLU for what is gelu here. Tokens before the patches have a bias
// of 0.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "vit/model/position/first_values.h"
#include "vit/model/position/offset_table.h"
#include "vit/model/position/scaled.h"

namespace lookhere {
namespace {

constexpr long kWidth = 32, kParameters = 5;  // of each layer

double longest(Grid grid) {
  return std::max(1.0, std::hypot(static_cast<double>(grid.y - 1), static_cast<double>(grid.x - 1)));
}

Var first_measure(Init& init, const Shape& shape) {
  const Tensor values = empty(shape, Dtype::f64, Device::cpu);
  values.host<double>()[0] = 0.1, values.host<double>()[1] = 2;
  return Var(values.to(init.dtype()).to(init.device()), true);
}

class Fire : public ScaledPosition {
 public:
  Fire() : ScaledPosition("fire") {}
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override {
    std::vector<PositionParameter> all;
    for (long layer = 0; layer < z.depth; ++layer) {
      const std::string name = concat("blocks.", layer, ".attn.fire.");
      all.push_back({name + "measure", {2}, first_measure});
      all.push_back({name + "mlp.0.weight", {kWidth, 1}, uniform_by_inputs});
      all.push_back({name + "mlp.0.bias", {kWidth}, uniform_bias<1>});
      all.push_back({name + "mlp.2.weight", {z.heads, kWidth}, uniform_by_inputs});
      all.push_back({name + "mlp.2.bias", {z.heads}, uniform_bias<kWidth>});
    }
    return all;
  }
  std::vector<Tensor> constants(const PositionSizes&, Grid grid, Dtype dtype) const override {
    std::vector<double> distances;
    for (long dy = grid.y - 1; dy > -grid.y; --dy)
      for (long dx = grid.x - 1; dx > -grid.x; --dx)
        distances.push_back(scaled(std::hypot(static_cast<double>(dy), static_cast<double>(dx))));
    return {from_vector(distances, {kernels::relative_size(grid), 1}, Device::cpu).to(dtype)};
  }
  Var table(const PositionSizes& z, std::span<const Var> inputs, Grid grid, long layer) const override {
    const std::span<const Var> in = inputs.subspan(kParameters * layer, kParameters);
    const Var measured =
        log_distance(inputs[kParameters * z.depth].value(), in[0], longest(z.grid), scaled(longest(grid)));
    return by_head(mlp(measured, in[1], in[2], in[3], in[4]), grid);
  }
  // L·D, and with it where distances begin to be squeezed, stays what it was.
  std::vector<MovedParameter> moved_to(const PositionSizes& z, std::span<const Var> inputs, Grid grid) const override {
    std::vector<MovedParameter> all;
    for (std::size_t layer = 0; layer < static_cast<std::size_t>(z.depth); ++layer) {
      const Var& measure = inputs[kParameters * layer];
      const std::vector<double> of{1, longest(z.grid) / longest(grid)};
      const Tensor factors = from_vector(of, {2}, Device::cpu).to(measure.value().dtype()).to(measure.value().device());
      all.push_back({kParameters * layer, multiply(measure, Var(factors))});
    }
    return all;
  }
};

}  // namespace

PositionType fire_type() { return type_with_scale<Fire>("fire"); }

}  // namespace lookhere
