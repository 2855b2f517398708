// ConViT's gated positional self-attention (d'Ascoli et al. 2021, arXiv 2103.10697): the hook `by_position`.
//   O = (1 - g)·softmax(q·k)·v + g·softmax(P)·v,  g = σ(λ),  P(i, j) = w·(dx, dy, dx² + dy²) + b,  (dy, dx) = j - i
// of each head, in the first five sixths of the layers. At first λ = 1 and head (a, b) of the largest square of heads
// attends to (dy, dx) = (a, b) - centre, as a convolution does; the values begin as other layers' do. ConViT has no
// class token in these layers; here P = 0 where a prefix token is query or key, so that b says how much patches heed
// it. Other grids have the same P, of offsets times the scale.
#include <cmath>
#include <nlohmann/json.hpp>

#include "vit/model/position/offset_table.h"
#include "vit/model/position/scaled.h"

namespace lookhere {
namespace {

long local_layers(long depth) { return (5 * depth + 5) / 6; }

// [heads, 3]: P is -|offset - its cell's|² but for a constant; heads beyond the square see at random.
Var toward_cells(Init& init, const Shape& shape) {
  Var weights = init.truncated_normal(shape);
  const Tensor& drawn = weights.value();
  const Tensor values = drawn.to(Device::cpu).to(Dtype::f64).clone();
  long side = 1;
  while ((side + 1) * (side + 1) <= shape[0]) ++side;
  const double center = static_cast<double>(side - 1) / 2;
  for (long cell = 0; cell < side * side; ++cell) {
    double* w = values.host<double>() + 3 * cell;
    w[0] = 2 * (static_cast<double>(cell % side) - center), w[1] = 2 * (static_cast<double>(cell / side) - center);
    w[2] = -1;
  }
  weights.set_value(values.to(drawn.dtype()).to(drawn.device()));
  return weights;
}

class Gpsa : public ScaledPosition {
 public:
  Gpsa() : ScaledPosition("gpsa") {}
  void check_fits(const PositionSizes& z) const override {
    check(!z.sigmoid, "gpsa: mixes two softmaxes, wanted --attention softmax");
  }
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override {
    std::vector<PositionParameter> all;
    for (long layer = 0; layer < local_layers(z.depth); ++layer) {
      const std::string name = concat("blocks.", layer, ".attn.");
      all.push_back({name + "pos_proj.weight", {z.heads, 3}, toward_cells});
      all.push_back(
          {name + "pos_proj.bias", {z.heads}, [](Init& init, const Shape& shape) { return init.constant(shape, 0); }});
      all.push_back(
          {name + "gating_param", {z.heads}, [](Init& init, const Shape& shape) { return init.constant(shape, 1); }});
    }
    return all;
  }
  // (dx, dy, dx² + dy²) of every offset, and 1/2 of every head
  std::vector<Tensor> constants(const PositionSizes& z, Grid grid, Dtype dtype) const override {
    std::vector<double> offsets;
    for (long dy = grid.y - 1; dy > -grid.y; --dy)
      for (long dx = grid.x - 1; dx > -grid.x; --dx) {
        const double x = scaled(static_cast<double>(dx)), y = scaled(static_cast<double>(dy));
        offsets.insert(offsets.end(), {x, y, x * x + y * y});
      }
    return {from_vector(offsets, {kernels::relative_size(grid), 3}, Device::cpu).to(dtype),
            full({z.heads}, 0.5, dtype, Device::cpu)};
  }
  PositionalAttention by_position(const PositionSizes& z, std::span<const Var> inputs, Grid grid,
                                  long layer) const override {
    const long locals = local_layers(z.depth);
    if (layer >= locals) return {};
    const Var &weight = inputs[3 * layer], &bias = inputs[3 * layer + 1], &gate = inputs[3 * layer + 2];
    const Var &offsets = inputs[3 * locals], &half = inputs[3 * locals + 1];
    // σ(λ) = 1/2 + tanh(λ/2)/2
    return {.table = by_head(linear(offsets, weight, bias), grid),
            .share = add(scale(tanh(scale(gate, 0.5)), 0.5), half)};
  }
};

}  // namespace

PositionType gpsa_type() { return type_with_scale<Gpsa>("gpsa"); }

}  // namespace lookhere
