// RoPE-Mixed (Heo et al. 2024, arXiv 2403.13298): the hook `angles`. Each head of each layer turns pair k of its
// features by an angle of both coordinates, whose frequencies are learned:
//   θ_k(y, x) = f_k · (y, x),  f_k at first 10^(-4k / head size)·(sin α, cos α) for k in [0, head size / 4), and the
//   same a quarter turn further, α + π/2, for as many more; α of each head at random
// On other grids the same formula with the coordinates there are, times the scale.
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "vit/model/position/scaled.h"

namespace lookhere {
namespace {

constexpr double kBase = 10;

// [heads, head size / 2, 2]
Var rotated_axes(Init& init, const Shape& shape) {
  const Var turns = init.uniform({shape[0]}, std::numbers::pi);
  const Tensor drawn = turns.value().to(Device::cpu).to(Dtype::f64), values = empty(shape, Dtype::f64, Device::cpu);
  const long quarter = shape[1] / 2;
  double* f = values.host<double>();
  for (long head = 0; head < shape[0]; ++head)
    for (long k = 0; k < 2 * quarter; ++k, f += 2) {
      const double size = std::pow(kBase, -static_cast<double>(k % quarter) / static_cast<double>(quarter));
      const double angle = drawn.host<double>()[head] + (k < quarter ? 0 : std::numbers::pi / 2);
      f[0] = size * std::sin(angle), f[1] = size * std::cos(angle);
    }
  return Var(values.to(init.dtype()).to(init.device()), true);
}

class RopeMixed : public ScaledPosition {
 public:
  RopeMixed() : ScaledPosition("rope-mixed") {}
  void check_fits(const PositionSizes& z) const override {
    check(z.head_dim() % 4 == 0, "rope-mixed: the head size (dim / heads) must be a multiple of 4, got ", z.head_dim());
  }
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override {
    std::vector<PositionParameter> all;
    for (long layer = 0; layer < z.depth; ++layer)
      all.push_back({concat("blocks.", layer, ".attn.freqs"), {z.heads, z.head_dim() / 2, 2}, rotated_axes});
    return all;
  }
  std::vector<Tensor> constants(const PositionSizes&, Grid grid, Dtype dtype) const override {
    std::vector<double> at;
    for (long patch = 0; patch < grid.patches(); ++patch)
      for (const long value : {patch / grid.x, patch % grid.x}) at.push_back(scaled(static_cast<double>(value)));
    return {from_vector(at, {grid.patches(), 2}, Device::cpu).to(dtype)};
  }
  Var angles(const PositionSizes& z, std::span<const Var> inputs, Grid, long layer) const override {
    return linear(inputs[z.depth], reshape(inputs[layer], {z.dim / 2, 2}));
  }
};

}  // namespace

PositionType rope_mixed_type() { return type_with_scale<RopeMixed>("rope-mixed"); }

}  // namespace lookhere
