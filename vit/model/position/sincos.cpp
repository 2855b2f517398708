// Fixed sines and cosines of column and row (MAE's order), resized bilinearly to other grids: the hook `embed`.
//   e(y, x) = [sin xω, cos xω, sin yω, cos yω],  ω_k = 10000^(-4k / dim), k in [0, dim / 4)
#include <cmath>
#include <nlohmann/json.hpp>

#include "vit/model/position/types.h"

namespace lookhere {
namespace {

class Sincos : public PositionEncoding {
 public:
  void check_fits(const PositionSizes& z) const override {
    check(z.dim % 4 == 0, "sincos: dim must be a multiple of 4, got ", z.dim);
  }
  Var embed(const PositionSizes& z, std::span<const Var>, Grid grid, Dtype dtype) const override {
    const long quarter = z.dim / 4;
    std::vector<double> table;
    table.reserve(z.grid.patches() * z.dim);
    for (long y = 0; y < z.grid.y; ++y)
      for (long x = 0; x < z.grid.x; ++x)
        for (const long at : {x, y})
          for (double (*wave)(double) : {+[](double a) { return std::sin(a); }, +[](double a) { return std::cos(a); }})
            for (long k = 0; k < quarter; ++k)
              table.push_back(wave(static_cast<double>(at) *
                                   std::pow(10000., -static_cast<double>(k) / static_cast<double>(quarter))));
    const Var fixed(from_vector(table, {1, z.grid.patches(), z.dim}, Device::cpu).to(dtype));
    return reshape(resize_grid(fixed, z.grid, grid), {grid.patches(), z.dim});
  }
  nlohmann::json to_json() const override { return {{"type", "sincos"}}; }
};

}  // namespace

PositionType sincos_type() { return type_without_settings<Sincos>("sincos"); }

}  // namespace lookhere
