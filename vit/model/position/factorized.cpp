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
  Var embed(const PositionSizes& z, std::span<const Var> inputs, Grid grid, Dtype) const override {
    return add(rows(z, inputs[0], grid), columns(z, inputs[1], grid));
  }
  std::vector<MovedParameter> moved_to(const PositionSizes& z, std::span<const Var> inputs, Grid grid) const override {
    return {{0, rows(z, inputs[0], {grid.y, 1})}, {1, columns(z, inputs[1], {1, grid.x})}};
  }
  nlohmann::json to_json() const override { return {{"type", "factorized"}}; }

 private:
  // [patches of `to`, dim]: resized from one column, or one row, a table is the same in all of them.
  static Var rows(const PositionSizes& z, const Var& table, Grid to) { return resized(z, table, {z.grid.y, 1}, to); }
  static Var columns(const PositionSizes& z, const Var& table, Grid to) { return resized(z, table, {1, z.grid.x}, to); }
  static Var resized(const PositionSizes& z, const Var& table, Grid from, Grid to) {
    return reshape(resize_grid(reshape(table, {1, from.patches(), z.dim}), from, to), {to.patches(), z.dim});
  }
};

}  // namespace

PositionType factorized_type() { return type_without_settings<Factorized>("factorized"); }

}  // namespace lookhere
