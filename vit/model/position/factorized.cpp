// A learned vector for each row and for each column (NaViT, Dehghani et al. 2023, arXiv 2307.06304): the hook `embed`.
//   e(y, x) = R[y] + C[x],  both N(0, 1) at first; on other grids each is resized linearly.
#include <nlohmann/json.hpp>

#include "vit/model/position/types.h"

namespace lookhere {
namespace {

class Factorized : public PositionEncoding {
 public:
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override {
    const auto init = [](Init& init, const Shape& shape) { return init.normal(shape, 1); };
    return {{"pos_embed_height", {z.grid.y, z.dim}, init}, {"pos_embed_width", {z.grid.x, z.dim}, init}};
  }
  // Resized from one column, or one row, a table is the same in all of them.
  Var embed(const PositionSizes& z, std::span<const Var> inputs, Grid grid, Dtype) const override {
    const Grid column{z.grid.y, 1}, row{1, z.grid.x};
    const Var rows = resize_grid(reshape(inputs[0], {1, z.grid.y, z.dim}), column, grid);
    const Var columns = resize_grid(reshape(inputs[1], {1, z.grid.x, z.dim}), row, grid);
    return reshape(add(rows, columns), {grid.patches(), z.dim});
  }
  nlohmann::json to_json() const override { return {{"type", "factorized"}}; }
};

}  // namespace

PositionType factorized_type() { return type_without_settings<Factorized>("factorized"); }

}  // namespace lookhere
