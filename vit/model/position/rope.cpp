// Axial rotary position embedding (kernels/rotary.h), CroCo v2's: the hook `rotate`. On other grids the same formula
// with the positions there are; the paper tunes the base instead.
//   θ_k(position) = position · base^(-4k / head size), k in [0, head size / 4), for rows and for columns
#include <cmath>
#include <nlohmann/json.hpp>

#include "vit/model/json.h"
#include "vit/model/position/types.h"

namespace lookhere {
namespace {

constexpr double kLowestBase = 1, kHighestBase = 1e9;

class Rope : public PositionEncoding {
 public:
  explicit Rope(double base = 100) : base_(base) {}

  void check_fits(const PositionSizes& z) const override {
    check(z.head_dim() % 4 == 0, "rope: the head size (dim / heads) must be a multiple of 4, got ", z.head_dim());
  }
  Rotation rotate(const PositionSizes& z, Grid grid, Dtype dtype) const override {
    const long quarter = z.head_dim() / 4;
    std::vector<double> cos, sin;
    for (long patch = 0; patch < grid.patches(); ++patch)
      for (const long at : {patch / grid.x, patch % grid.x})
        for (long k = 0; k < quarter; ++k) {
          const double angle =
              static_cast<double>(at) * std::pow(base_, -static_cast<double>(k) / static_cast<double>(quarter));
          cos.push_back(std::cos(angle)), sin.push_back(std::sin(angle));
        }
    const Shape shape{grid.patches(), 2 * quarter};
    return {.cos = from_vector(cos, shape, Device::cpu).to(dtype),
            .sin = from_vector(sin, shape, Device::cpu).to(dtype)};
  }
  std::optional<TunableNumber> tunable() const override {
    return TunableNumber{"rope-base", base_, {0.25, 1, 4, 12.5, 30, 100, 300, 1000}};
  }
  nlohmann::json to_json() const override { return {{"type", "rope"}, {"base", base_}}; }
  void set(std::string_view, const PositionValue& base) override {
    base_ = std::get<double>(base);
    check(base_ >= kLowestBase, "--rope-base: wanted ", kLowestBase, " to ", kHighestBase, ", got ", base_);
  }

 private:
  double base_;
};

}  // namespace

PositionType rope_type() {
  return {.names = {"rope"},
          .help = "rope",
          .make = [](const std::string&) -> std::shared_ptr<PositionEncoding> { return std::make_shared<Rope>(); },
          .options = {{"rope-base", 0.0, {0, kHighestBase}, "RoPE's base, larger: slower angles (0: 100)"}},
          .json_type = "rope",
          .from_json = [](const nlohmann::json& json) -> std::shared_ptr<PositionEncoding> {
            return std::make_shared<Rope>(number_in(field(json, "base"), "base", kLowestBase, kHighestBase));
          }};
}

}  // namespace lookhere
