// A learned bias of attention by offset in every layer (BEiT, Bao et al. 2022, arXiv 2106.08254): the hooks `table` and
// `prefix`.
//   S(i, j) += T[offset of i from j, head], and of the last three rows of T: class token as query, as key, as both.
// On another grid the table's rows and columns are taken to lie, from the middle outwards, at 0, 1, 1 + q, 1 + q + q²,
// ..., with q such that the outermost comes to the new grid's last, and a cubic spline through them gives the rest.
#include <nlohmann/json.hpp>

#include "vit/model/position/offset_table.h"
#include "vit/model/position/spline.h"
#include "vit/model/position/types.h"

namespace lookhere {
namespace {

// 1 + q + ... + q^(n - 1)
double series(double q, long n) {
  double sum = 0, power = 1;
  for (long i = 0; i < n; ++i, power *= q) sum += power;
  return sum;
}

// A table's (2·to - 1, 2·from - 1) along one side of the grid.
std::vector<double> resizing(long from, long to) {
  double low = 1.01, high = 1.5, q = low;  // the bounds and the precision of BEiT's bisection, which ends at q
  while (high - low > 1e-6) {
    q = (low + high) / 2;
    (series(q, from - 1) > static_cast<double>(to - 1) ? high : low) = q;
  }
  std::vector<double> points, wanted;
  for (long i = 1 - from; i < from; ++i) points.push_back(i < 0 ? -series(q, -i) : series(q, i));
  for (long i = 1 - to; i < to; ++i) wanted.push_back(static_cast<double>(i));
  return spline_matrix(points, wanted);
}

class Rpe : public PositionEncoding {
 public:
  void check_fits(const PositionSizes& z) const override {
    check(!z.sigmoid || z.prefix == 0,
          "rpe: what the class token as query adds to all keys is left out, and counts without a softmax: wanted "
          "--attention softmax");
  }
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override {
    std::vector<PositionParameter> all;
    const auto zero = [](Init& init, const Shape& shape) { return init.constant(shape, 0); };
    for (long layer = 0; layer < z.depth; ++layer)
      all.push_back({concat("blocks.", layer, ".attn.relative_position_bias_table"),
                     {kernels::relative_size(z.grid) + (z.prefix ? 3 : 0), z.heads},
                     zero});
    return all;
  }
  std::vector<Tensor> constants(const PositionSizes& z, Grid grid, Dtype dtype) const override {
    const auto matrix = [dtype](const std::vector<double>& values, long cols) {
      return from_vector(values, {std::ssize(values) / cols, cols}, Device::cpu).to(dtype);
    };
    // A softmax takes no notice of what all keys of a query have in common: that of the class token as query.
    std::vector<Tensor> all{matrix({0, 1, 0, -1, 0, 1}, 3)};
    if (grid == z.grid) return all;
    all.push_back(matrix(resizing(z.grid.y, grid.y), 2 * z.grid.y - 1));
    all.push_back(matrix(resizing(z.grid.x, grid.x), 2 * z.grid.x - 1));
    return all;
  }
  Var table(const PositionSizes& z, std::span<const Var> inputs, Grid grid, long layer) const override {
    const long height = 2 * z.grid.y - 1, width = 2 * z.grid.x - 1, new_height = 2 * grid.y - 1,
               new_width = 2 * grid.x - 1;
    Var x = by_head(rows_of(z, inputs[layer], 0, height * width), z.grid);
    if (grid == z.grid) return x;
    const Var &rows = inputs[z.depth + 1], &columns = inputs[z.depth + 2];
    const Var wide = linear(reshape(x, {z.heads, height, 1, width}), columns);
    const Var turned = patchify(reshape(wide, {z.heads, height, 1, new_width}), 1);  // [heads, new_width, height]
    return patchify(reshape(linear(turned, rows), {z.heads, new_width, 1, new_height}), 1);
  }
  Var prefix(const PositionSizes& z, std::span<const Var> inputs, Grid, long layer) const override {
    if (z.prefix == 0) return {};
    return linear(transposed(rows_of(z, inputs[layer], kernels::relative_size(z.grid), 3)), inputs[z.depth]);
  }
  std::vector<MovedParameter> moved_to(const PositionSizes& z, std::span<const Var> inputs, Grid grid) const override {
    std::vector<MovedParameter> all;
    for (std::size_t layer = 0; layer < static_cast<std::size_t>(z.depth); ++layer) {
      const long offsets = kernels::relative_size(grid);
      Var rows = transposed(reshape(table(z, inputs, grid, static_cast<long>(layer)), {z.heads, offsets}));
      if (z.prefix)
        rows = reshape(
            prepend_token(reshape(rows, {1, offsets, z.heads}),
                          reshape(rows_of(z, inputs[layer], kernels::relative_size(z.grid), 3), {1, 3, z.heads})),
            {offsets + 3, z.heads});
      all.push_back({layer, rows});
    }
    return all;
  }
  nlohmann::json to_json() const override { return {{"type", "rpe"}}; }

 private:
  static Var rows_of(const PositionSizes& z, const Var& table, long first, long count) {
    return reshape(take_tokens(reshape(table, {1, table.shape()[0], z.heads}), first, count), {count, z.heads});
  }
};

}  // namespace

PositionType rpe_type() { return type_without_settings<Rpe>("rpe"); }

}  // namespace lookhere
