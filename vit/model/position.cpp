// Position encodings: configuration, parameters, and where they enter the model.
#include "vit/model/position.h"

#include <utility>

#include "vit/model/json.h"

namespace lookhere {
namespace {

template <class E>
using Names = std::vector<std::pair<const char*, E>>;

const Names<PositionType> kTypes{
    {"lookhere", PositionType::lookhere}, {"learned", PositionType::learned}, {"none", PositionType::none}};
const Names<DistancePower> kDistances{
    {"linear", DistancePower::linear}, {"sqrt", DistancePower::sqrt}, {"square", DistancePower::square}};
const Names<MaskFill> kFills{{"inf", MaskFill::inf}, {"zero", MaskFill::zero}, {"max", MaskFill::max}};

template <class E>
E from_name(const char* what, const Names<E>& names, const std::string& name) {
  std::string known;
  for (const auto& [text, value] : names) {
    if (name == text) return value;
    known += (known.empty() ? "" : ", ") + std::string(text);
  }
  fail(what, ": wanted one of ", known, ", got ", shown(name));
}
template <class E>
std::string to_name(const Names<E>& names, E wanted) {
  for (const auto& [text, value] : names)
    if (value == wanted) return text;
  return "?";
}

LookHereConfig lookhere_from_json(const nlohmann::json& json) {
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
  return config;
}

}  // namespace

DistancePower distance_from_name(const std::string& name) { return from_name("distance", kDistances, name); }
MaskFill fill_from_name(const std::string& name) { return from_name("fill", kFills, name); }

PositionConfig position_from_json(const nlohmann::json& json) {
  PositionConfig config;
  config.type = from_name("position type", kTypes, text_of(field(json, "type"), "type"));
  if (config.type == PositionType::lookhere) config.lookhere = lookhere_from_json(json);
  return config;
}

nlohmann::json to_json(const PositionConfig& config) {
  nlohmann::json json{{"type", to_name(kTypes, config.type)}};
  if (config.type != PositionType::lookhere) return json;
  const LookHereConfig& lh = config.lookhere;
  json["directions"] = lh.directions.size() == 1 ? nlohmann::json(lh.directions[0]) : nlohmann::json(lh.directions);
  json["global_slope"] = lh.global_slope;
  json["layer_slopes"] = lh.layer_slopes;
  json["distance"] = to_name(kDistances, lh.distance);
  json["fill"] = to_name(kFills, lh.fill);
  if (!lh.round_to_bf16) json["bf16_round"] = false;
  return json;
}

PositionConfig position_preset(const std::string& name) {
  if (name == "learned") return {.type = PositionType::learned, .lookhere = {}};
  if (name == "none") return {.type = PositionType::none, .lookhere = {}};
  if (name == "lookhere") return position_preset("lh90");
  if (name == "lh180" || name == "lh90" || name == "lh45" || name == "alibi")
    return {.type = PositionType::lookhere, .lookhere = lookhere_preset(name)};
  fail("position: wanted one of lookhere, lh180, lh90, lh45, alibi, learned, none, got ", shown(name));
}

Position::Position(const PositionConfig& config, long heads, long depth, long dim, Grid grid, Init& init)
    : config_(config), heads_(heads), depth_(depth), head_dim_(dim / heads), trained_(grid) {
  if (config.type == PositionType::learned) table_ = init.truncated_normal({1, grid.patches(), dim});
}

Var Position::add_to(const Var& patches, Grid grid) const {
  if (!table_.defined()) return patches;
  const Var table = resize_grid(table_, trained_, grid);
  return add(patches, reshape(table, {table.shape()[1], table.shape()[2]}));
}

const std::vector<AttentionHeads>& Position::views(Grid grid, Dtype dtype) {
  if (!views_.empty() && views_[0].grid == grid) return views_;
  views_.clear();
  std::vector<AttentionHeads> views;  // kept when it is complete: memory may run out on the way
  for (long layer = 0; layer < depth_; ++layer) {
    AttentionHeads heads = make_attention_heads(config_.type == PositionType::lookhere
                                                    ? lookhere_heads(config_.lookhere, heads_, depth_, layer)
                                                    : std::vector<LookHereHead>{},
                                                grid, dtype);
    plan_attention(heads, heads_, 1, head_dim_, layer ? &views.back() : nullptr);
    views.push_back(std::move(heads));
  }
  return views_ = std::move(views);
}

}  // namespace lookhere
