// A learned vector for each patch (Dosovitskiy et al. 2021): the hook `embed`. On another grid they are resized as
// where they come from: bilinearly as in LookHere's paper, or bicubically as PyTorch does it, with antialias as in
// timm.
#include <nlohmann/json.hpp>

#include "tensor/text.h"
#include "vit/model/json.h"
#include "vit/model/position/types.h"

namespace lookhere {
namespace {

struct Resizing {
  const char* name;  // in a model's configuration
  GridFilter filter;
};
constexpr Resizing kResizings[]{{"bilinear", GridFilter::bilinear},  // the first is what a file without the field means
                                {"bicubic", GridFilter::bicubic},
                                {"bicubic_antialias", GridFilter::bicubic_antialias}};

const Resizing& resizing_of(const nlohmann::json& json) {
  if (!json.contains("resize")) return kResizings[0];
  const std::string name = text_of(json["resize"], "resize");
  std::vector<std::string> known;
  for (const Resizing& each : kResizings) {
    if (name == each.name) return each;
    known.emplace_back(each.name);
  }
  fail("config: 'resize' must be one of ", joined(known), ", got ", shown(name));
}

class Learned : public PositionEncoding {
 public:
  explicit Learned(const Resizing& resizing = kResizings[0]) : resizing_(resizing) {}
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override {
    return {{"pos_embed", {1, z.grid.patches(), z.dim}, [](Init& init, const Shape& shape) {
               return init.truncated_normal(shape);
             }}};
  }
  Var embed(const PositionSizes& z, std::span<const Var> parameters, Grid grid, Dtype) const override {
    return reshape(resize_grid(parameters[0], z.grid, grid, resizing_.filter), {grid.patches(), z.dim});
  }
  std::vector<MovedParameter> moved_to(const PositionSizes& z, std::span<const Var> inputs, Grid grid) const override {
    return {{0, resize_grid(inputs[0], z.grid, grid, resizing_.filter)}};
  }
  nlohmann::json to_json() const override {
    nlohmann::json json{{"type", "learned"}};
    if (resizing_.filter != kResizings[0].filter) json["resize"] = resizing_.name;
    return json;
  }

 private:
  const Resizing& resizing_;
};

}  // namespace

PositionType learned_type() {
  PositionType type = type_without_settings<Learned>("learned");
  type.from_json = [](const nlohmann::json& json) -> std::shared_ptr<PositionEncoding> {
    return std::make_shared<Learned>(resizing_of(json));
  };
  return type;
}

}  // namespace lookhere
