// Learnable Fourier features (Li et al. 2021, arXiv 2106.02795), as LookHere's authors have them: the hook `embed`.
//   e(y, x) = W2·gelu(W1·f + b1) + b2,  f = [cos Wr·p, sin Wr·p] / √128,  p = (y / rows, x / columns) in [0, 1)
// Other grids divide the same square more finely. First values are those of PyTorch's linear layers.
#include <cmath>
#include <nlohmann/json.hpp>

#include "vit/model/position/first_values.h"
#include "vit/model/position/types.h"

namespace lookhere {
namespace {

constexpr long kFeatures = 128, kHidden = 256;

class Fourier : public PositionEncoding {
 public:
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override {
    return {{"lff.Wr.weight", {kFeatures / 2, 2}, uniform_by_inputs},
            {"lff.mlp.0.weight", {kHidden, kFeatures}, uniform_by_inputs},
            {"lff.mlp.0.bias", {kHidden}, uniform_bias<kFeatures>},
            {"lff.mlp.2.weight", {z.dim, kHidden}, uniform_by_inputs},
            {"lff.mlp.2.bias", {z.dim}, uniform_bias<kHidden>}};
  }
  std::vector<Tensor> constants(const PositionSizes&, Grid grid, Dtype dtype) const override {
    std::vector<double> positions;
    for (long y = 0; y < grid.y; ++y)
      for (long x = 0; x < grid.x; ++x) {
        positions.push_back(static_cast<double>(y) / static_cast<double>(grid.y));
        positions.push_back(static_cast<double>(x) / static_cast<double>(grid.x));
      }
    return {from_vector(positions, {grid.patches(), 2}, Device::cpu).to(dtype)};
  }
  Var embed(const PositionSizes&, std::span<const Var> in, Grid, Dtype) const override {
    const Var features = scale(waves(linear(in[5], in[0])), 1 / std::sqrt(static_cast<double>(kFeatures)));
    return mlp(features, in[1], in[2], in[3], in[4]);
  }
  nlohmann::json to_json() const override { return {{"type", "fourier"}}; }
};

}  // namespace

PositionType fourier_type() { return type_without_settings<Fourier>("fourier"); }

}  // namespace lookhere
