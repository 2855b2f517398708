// LookHere (Fuller et al. 2024, arXiv 2405.13985, section 3): the hook `bias`; with learned layer slopes also `table`.
// Head h of layer l adds to the logit of patches i and j
//   -s_g · s_l · s_h · d(i, j)  where h looks from i at j,  and -inf where it does not (--fill: 0 or the largest
//   penalty),
// with d = sqrt(dy² + dx²) in patches and s_g the global slope. A prefix token sees and is seen at no cost. Which heads
// look where, and their s_h: lookhere_heads.h. The same formula with other settings:
//   lh180, lh90, lh45  directed heads see a half, a quarter, an eighth of the patches    s_g = 2, s_l from 1.5 to 0.5
//   alibi              2D-ALiBi (the paper's baseline; ALiBi: arXiv 2108.12409): every head sees all    s_g = s_l = 1
//   manhattan          RMT (Fan et al. 2023, arXiv 2309.11523): alibi with d = |dy| + |dx|
//   axial              half of the heads see their own row, half their own column; d = 0
// Other grids have more of the same patches, at the same cost for each.
#include "vit/model/position/lookhere.h"

#include <fmt/format.h>

#include <cmath>

#include "tensor/text.h"
#include "vit/model/json.h"
#include "vit/model/position/types.h"

namespace lookhere {
namespace {

template <class E>
using Names = std::vector<std::pair<const char*, E>>;
const Names<DistancePower> kDistances{{"linear", DistancePower::linear},
                                      {"sqrt", DistancePower::sqrt},
                                      {"square", DistancePower::square},
                                      {"manhattan", DistancePower::manhattan}};
const Names<MaskFill> kFills{{"inf", MaskFill::inf}, {"zero", MaskFill::zero}, {"max", MaskFill::max}};

template <class E>
E from_name(const char* what, const Names<E>& names, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [text, value] : names) {
    if (name == text) return value;
    known.emplace_back(text);
  }
  fail(what, ": wanted one of ", joined(known), ", got ", shown(name));
}
template <class E>
std::string to_name(const Names<E>& names, E wanted) {
  for (const auto& [text, value] : names)
    if (value == wanted) return text;
  return "?";
}

bool are_learned(const std::string& slopes) {
  check(slopes == "none" || slopes == "layer", "learned slopes: wanted none or layer, got ", shown(slopes));
  return slopes == "layer";
}

class LookHere : public PositionEncoding {
 public:
  explicit LookHere(LookHereConfig config) : config_(std::move(config)) {}

  std::vector<NamedHead> bias(const PositionSizes& z, long layer) const override {
    std::vector<NamedHead> heads;
    std::vector<std::string> names = head_names(config_, z.heads, z.depth, layer);
    for (LookHereHead& head : lookhere_heads(config_, z.heads, z.depth, layer)) {
      if (!trained_.empty()) head.layer_slope = config_.global_slope * trained_.at(layer), head.round_to_bf16 = false;
      heads.push_back({std::move(names[heads.size()]), head});
    }
    return heads;
  }
  void check_fits(const PositionSizes& z) const override;
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override;
  std::vector<Tensor> constants(const PositionSizes& z, Grid grid, Dtype dtype) const override;
  Var table(const PositionSizes& z, std::span<const Var> inputs, Grid grid, long layer) const override;
  nlohmann::json to_json() const override;
  void set(std::string_view option, const PositionValue& value) override;
  HeadsInWords in_words(const PositionSizes& sizes, long layer) const override;
  std::shared_ptr<const PositionEncoding> as_trained(std::span<const Var> parameters) const override;
  std::optional<TunableNumber> tunable() const override {
    if (!pays_for_distance(config_)) return std::nullopt;
    return TunableNumber{"global-slope", config_.global_slope, {0.25, 0.5, 0.7, 1, 1.4, 2, 4, 12.5}};
  }

 private:
  LookHereConfig config_;
  std::vector<double> trained_;  // slope of each layer; empty: by the configuration
};

void LookHere::check_fits(const PositionSizes& z) const {
  for (long layer = 0; layer < z.depth; ++layer)
    for (const LookHereHead& head : lookhere_heads(config_, z.heads, z.depth, layer)) {
      if (!config_.learned_layer_slopes) continue;
      check(head.layer_slope > 0, "lookhere: learned layer slopes must begin above 0, and so must the global slope");
      check(head.from != kernels::DistanceFrom::grid_center,
            "lookhere: learned layer slopes want distances from the query, not from the center");
    }
}

std::vector<PositionParameter> LookHere::parameters(const PositionSizes& z) const {
  std::vector<PositionParameter> all;
  for (long layer = 0; config_.learned_layer_slopes && layer < z.depth; ++layer) {
    const double slope = layer_slope(config_.layer_slopes, z.depth, layer);
    all.push_back({concat("blocks.", layer, ".attn.layer_slope"), {1}, [slope](Init& init, const Shape& shape) {
                     return init.constant(shape, slope);
                   }});
  }
  return all;
}

// For each layer the bias where its slope is 1, 0 where a head does not look, and what is -inf there and else 0.
std::vector<Tensor> LookHere::constants(const PositionSizes& z, Grid grid, Dtype dtype) const {
  std::vector<Tensor> all;
  for (long layer = 0; config_.learned_layer_slopes && layer < z.depth; ++layer) {
    std::vector<double> bias(z.heads * kernels::relative_size(grid)), unseen;
    double* of_head = bias.data();
    for (LookHereHead head : lookhere_heads(config_, z.heads, z.depth, layer)) {
      head.layer_slope = config_.global_slope, head.round_to_bf16 = false;
      kernels::relative_bias(of_head, head, grid);
      of_head += kernels::relative_size(grid);
    }
    for (double& value : bias) {
      unseen.push_back(std::isinf(value) ? value : 0);
      if (std::isinf(value)) value = 0;
    }
    all.push_back(from_vector(bias, {static_cast<long>(bias.size()), 1}, Device::cpu).to(dtype));
    all.push_back(from_vector(unseen, {z.heads, 2 * grid.y - 1, 2 * grid.x - 1}, Device::cpu).to(dtype));
  }
  return all;
}

Var LookHere::table(const PositionSizes& z, std::span<const Var> inputs, Grid, long layer) const {
  if (!config_.learned_layer_slopes) return {};
  const Var &bias = inputs[z.depth + 2 * layer], &unseen = inputs[z.depth + 2 * layer + 1];
  return add(reshape(linear(bias, reshape(inputs[layer], {1, 1})), unseen.shape()), unseen);
}

std::shared_ptr<const PositionEncoding> LookHere::as_trained(std::span<const Var> parameters) const {
  if (!config_.learned_layer_slopes) return nullptr;
  auto trained = std::make_shared<LookHere>(config_);
  for (const Var& slope : parameters) trained->trained_.push_back(slope.value().item());
  return trained;
}

nlohmann::json LookHere::to_json() const {
  nlohmann::json json{{"type", "lookhere"}};
  const std::vector<std::string>& directions = config_.directions;
  json["directions"] = directions.size() == 1 ? nlohmann::json(directions[0]) : nlohmann::json(directions);
  json["global_slope"] = config_.global_slope;
  json["layer_slopes"] = config_.layer_slopes;
  json["distance"] = to_name(kDistances, config_.distance);
  json["fill"] = to_name(kFills, config_.fill);
  if (!config_.round_to_bf16) json["bf16_round"] = false;
  if (config_.learned_layer_slopes) json["learned_slopes"] = "layer";
  return json;
}

void LookHere::set(std::string_view option, const PositionValue& value) {
  if (option == "directions") config_.directions = std::get<std::vector<std::string>>(value);
  if (option == "global-slope") config_.global_slope = std::get<double>(value);
  if (option == "distance") config_.distance = from_name("distance", kDistances, std::get<std::string>(value));
  if (option == "fill") config_.fill = from_name("fill", kFills, std::get<std::string>(value));
  if (option == "learned-slopes") config_.learned_layer_slopes = are_learned(std::get<std::string>(value));
  if (option != "layer-slopes") return;
  const auto& slopes = std::get<std::vector<double>>(value);
  check(slopes.size() == 2, "--layer-slopes: wanted two numbers, first and last layer, got ", slopes.size());
  config_.layer_slopes = {slopes[0], slopes[1]};
}

HeadsInWords LookHere::in_words(const PositionSizes& z, long layer) const {
  HeadsInWords words;
  words.directions = config_.directions[config_.directions.size() == 1 ? 0 : layer];
  words.origin = has_official_layout(config_.directions[0], z.heads)
                     ? "the authors' layout"
                     : "lookhere.cpp's rule for head counts without an official layout";
  words.slopes = fmt::format("global slope {:g}, layer slopes {}{:g} to {:g}", config_.global_slope,
                             !config_.learned_layer_slopes ? ""
                             : trained_.empty()            ? "learned, at first "
                                                           : "learned, ",
                             trained_.empty() ? config_.layer_slopes[0] : trained_.front(),
                             trained_.empty() ? config_.layer_slopes[1] : trained_.back());
  // In heads it stands multiplied by the global slope.
  const double layer_slope = bias(z, layer)[0].head.layer_slope;
  words.global_slope = config_.global_slope;
  words.layer_slope = config_.global_slope > 0 ? layer_slope / config_.global_slope : 0;
  switch (config_.distance) {
    case DistancePower::linear:
      words.distance = "distance";
      break;
    case DistancePower::sqrt:
      words.distance = "√distance";
      break;
    case DistancePower::square:
      words.distance = "distance²";
      break;
    case DistancePower::manhattan:
      words.distance = "(|dy| + |dx|)";
  }
  if (config_.fill != MaskFill::inf)
    words.distance +=
        config_.fill == MaskFill::zero ? "; masked patches cost nothing" : "; masked patches cost the largest distance";
  return words;
}

std::shared_ptr<PositionEncoding> from_json(const nlohmann::json& json) {
  return std::make_shared<LookHere>(lookhere_config_from_json(json));
}
std::shared_ptr<PositionEncoding> preset(const std::string& name) {
  return std::make_shared<LookHere>(lookhere_preset(name == "lookhere" ? "lh90" : name));
}

}  // namespace

LookHereConfig lookhere_config_from_json(const nlohmann::json& json) {
  LookHereConfig config;
  const nlohmann::json& directions = field(json, "directions");
  config.directions.clear();
  if (directions.is_array())
    for (const auto& layer : directions) config.directions.push_back(text_of(layer, "directions"));
  else
    config.directions.push_back(text_of(directions, "directions"));
  if (json.contains("global_slope")) config.global_slope = number_in(json["global_slope"], "global_slope", 0, 1e6);
  if (json.contains("layer_slopes")) {
    const nlohmann::json& slopes = json["layer_slopes"];
    check(slopes.is_array() && slopes.size() == 2, "config: 'layer_slopes' must be [first, last], got ",
          described(slopes));
    config.layer_slopes = {number_in(slopes[0], "layer_slopes", 0, 1e6), number_in(slopes[1], "layer_slopes", 0, 1e6)};
  }
  if (json.contains("distance")) config.distance = distance_from_name(text_of(json["distance"], "distance"));
  if (json.contains("fill")) config.fill = fill_from_name(text_of(json["fill"], "fill"));
  if (json.contains("bf16_round")) config.round_to_bf16 = flag_of(json["bf16_round"], "bf16_round");
  if (json.contains("learned_slopes"))
    config.learned_layer_slopes = are_learned(text_of(json["learned_slopes"], "learned_slopes"));
  return config;
}

DistancePower distance_from_name(const std::string& name) { return from_name("distance", kDistances, name); }
MaskFill fill_from_name(const std::string& name) { return from_name("fill", kFills, name); }
PositionConfig lookhere_position(const LookHereConfig& config) {
  return PositionConfig(std::make_shared<LookHere>(config));
}

PositionType lookhere_type() {
  constexpr double kMany = 1e9;
  return {.names = {"lookhere", "lh180", "lh90", "lh45", "alibi", "manhattan", "axial"},
          .help = "lookhere (= lh90), lh180, lh90, lh45, alibi, manhattan, axial",
          .make = preset,
          .options =
              {{"directions",
                std::vector<std::string>{},
                {},
                "LookHere directions such as halves-diagonals-none, one or one per layer"},
               {"global-slope",
                -1.0,
                {-kMany, 1e6},
                "LookHere global slope (negative: the position's own, 2, which is the paper's 1; 0: no masks either)"},
               {"layer-slopes",
                std::vector<double>{},
                {0, 1e6},
                "LookHere slopes of the first and last layer (default 1.5 0.5)"},
               {"learned-slopes",
                "",
                {},
                "LookHere slopes that training changes: none, layer (each layer's, from --layer-slopes on)"},
               {"distance", "", {}, "LookHere distance: linear, sqrt, square, manhattan"},
               {"fill", "", {}, "what stands where a head does not look: inf, zero, max"}},
          .json_type = "lookhere",
          .from_json = from_json};
}

}  // namespace lookhere
