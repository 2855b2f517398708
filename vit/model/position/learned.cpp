// A learned vector for each patch (Dosovitskiy et al. 2021), resized bilinearly to other grids: the hook `embed`.
#include <nlohmann/json.hpp>

#include "vit/model/position/types.h"

namespace lookhere {
namespace {

class Learned : public PositionEncoding {
 public:
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override {
    return {{"pos_embed", {1, z.grid.patches(), z.dim}, [](Init& init, const Shape& shape) {
               return init.truncated_normal(shape);
             }}};
  }
  Var embed(const PositionSizes& z, std::span<const Var> parameters, Grid grid, Dtype) const override {
    return reshape(resize_grid(parameters[0], z.grid, grid), {grid.patches(), z.dim});
  }
  nlohmann::json to_json() const override { return {{"type", "learned"}}; }
};

}  // namespace

PositionType learned_type() { return type_without_settings<Learned>("learned"); }

}  // namespace lookhere
