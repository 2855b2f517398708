// A model's configuration as JSON, and the presets.
#include <algorithm>

#include "nn/activation.h"
#include "tensor/text.h"
#include "vit/model/json.h"
#include "vit/model/vit.h"

namespace lookhere {
namespace {

// Values by their names; the first is what a file without the field means.
template <class Value>
using Names = std::vector<std::pair<const char*, Value>>;
const Names<HeadType> kHeads{{"linear", HeadType::linear}, {"mlp", HeadType::mlp}, {"none", HeadType::none}};
const Names<Pooling> kPoolings{{"cls", Pooling::cls}, {"mean", Pooling::mean}, {"map", Pooling::map}};
const Names<FinalNorm> kFinalNorms{
    {"tokens", FinalNorm::tokens}, {"pooled", FinalNorm::pooled}, {"none", FinalNorm::none}};
const Names<AttentionWeights> kAttention{{"softmax", AttentionWeights::softmax},
                                         {"sigmoid", AttentionWeights::sigmoid}};

template <class Value>
Value one_of(const nlohmann::json& json, const char* name, const Names<Value>& names) {
  if (!json.contains(name)) return names.front().second;
  const std::string text = text_of(json[name], name);
  std::vector<std::string> known;
  for (const auto& [known_name, value] : names) {
    if (text == known_name) return value;
    known.emplace_back(known_name);
  }
  fail("config: '", name, "' must be one of ", joined(known), ", got ", shown(text));
}
template <class Value>
const char* name_of(Value value, const Names<Value>& names) {
  return std::ranges::find(names, value, &std::pair<const char*, Value>::second)->first;
}

struct Flag {
  const char* name;
  bool ViTConfig::*field;
};
constexpr Flag kFlags[]{{"class_token", &ViTConfig::class_token},
                        {"distilled", &ViTConfig::distilled},
                        {"patch_bias", &ViTConfig::patch_bias},
                        {"qkv_bias", &ViTConfig::qkv_bias},
                        {"pre_norm", &ViTConfig::pre_norm},
                        {"qk_norm", &ViTConfig::qk_norm},
                        {"proj_bias", &ViTConfig::proj_bias},
                        {"rms_norm", &ViTConfig::rms_norm},
                        {"embed_norm", &ViTConfig::embed_norm},
                        {"sub_norm", &ViTConfig::sub_norm},
                        {"pool_include_prefix", &ViTConfig::pool_include_prefix}};

}  // namespace

ViTConfig config_from_json(const std::string& text) {
  const nlohmann::json json = parse_object(text, "config");
  constexpr long kMany = 1L << 20;
  ViTConfig c;
  const nlohmann::json& size = field(json, "image_size");
  check(size.is_number() || (size.is_array() && size.size() == 2),
        "config: 'image_size' must be [height, width] or one number, got ", described(size));
  c.height = integer_in(size.is_array() ? size[0] : size, "image_size", 1, kMany);
  c.width = integer_in(size.is_array() ? size[1] : size, "image_size", 1, kMany);
  c.patch = integer_in(field(json, "patch_size"), "patch_size", 1, kMany);
  c.channels = integer_in(field(json, "channels"), "channels", 1, kMany);
  c.classes = integer_in(field(json, "classes"), "classes", 1, kMany);
  c.dim = integer_in(field(json, "dim"), "dim", 1, kMany);
  c.depth = integer_in(field(json, "depth"), "depth", 1, kMany);
  c.heads = integer_in(field(json, "heads"), "heads", 1, kMany);
  if (json.contains("mlp_ratio")) c.mlp_ratio = number_in(json["mlp_ratio"], "mlp_ratio", 0, 64);
  if (json.contains("activation")) c.activation = text_of(json["activation"], "activation");
  if (json.contains("norm_eps")) c.norm_eps = number_in(json["norm_eps"], "norm_eps", 0, 1);
  if (json.contains("layer_scale")) c.layer_scale = flag_of(json["layer_scale"], "layer_scale");
  const std::string head = json.contains("head") ? text_of(json["head"], "head") : "linear";
  c.head = one_of(json, "head", kHeads);
  c.pool = one_of(json, "pool", kPoolings);
  c.final_norm = one_of(json, "final_norm", kFinalNorms);
  c.attention = one_of(json, "attention", kAttention);
  if (json.contains("registers")) c.registers = integer_in(json["registers"], "registers", 0, kMany);
  for (const Flag& flag : kFlags)
    if (json.contains(flag.name)) c.*flag.field = flag_of(json[flag.name], flag.name);
  c.position = position_from_json(field(json, "position"));
  c.validate();
  return c;
}

std::string to_json(const ViTConfig& c) {
  auto json = nlohmann::ordered_json::object();
  json["image_size"] = {c.height, c.width};
  json["patch_size"] = c.patch, json["channels"] = c.channels, json["classes"] = c.classes;
  json["dim"] = c.dim, json["depth"] = c.depth, json["heads"] = c.heads;
  json["mlp_ratio"] = c.mlp_ratio, json["norm_eps"] = c.norm_eps, json["layer_scale"] = c.layer_scale;
  if (c.activation != "gelu") json["activation"] = c.activation;  // what versions before knew stays as it was
  json["head"] = name_of(c.head, kHeads);
  json["pool"] = name_of(c.pool, kPoolings);
  if (c.final_norm != FinalNorm::tokens) json["final_norm"] = name_of(c.final_norm, kFinalNorms);
  if (c.attention != AttentionWeights::softmax) json["attention"] = name_of(c.attention, kAttention);
  if (c.registers) json["registers"] = c.registers;
  for (const Flag& flag : kFlags)
    if (c.*flag.field != ViTConfig().*flag.field) json[flag.name] = c.*flag.field;
  json["position"] = to_json(c.position);
  return to_text(json);
}

double multiply_adds(const ViTConfig& c, Grid grid) {
  const auto dim = static_cast<double>(c.dim), hidden = static_cast<double>(c.mlp_hidden());
  const auto classes = static_cast<double>(c.classes), patches = static_cast<double>(grid.patches());
  const double tokens = patches + static_cast<double>(c.prefix());
  const double mlp = dim * hidden * (mlp_activation(c.activation).gated ? 1.5 : 2);
  PositionSizes sizes = c.position_sizes();
  sizes.grid = grid;
  double pairs = 0;                                              // of all heads in all blocks
  std::vector<std::pair<kernels::FieldOfView, double>> counted;  // few heads differ in what they see
  for (long layer = 0; layer < c.depth; ++layer) {
    const std::vector<NamedHead> heads = c.position->bias(sizes, layer);
    if (heads.empty()) pairs += static_cast<double>(c.heads) * tokens * tokens;
    for (const NamedHead& each : heads) {
      const kernels::FieldOfView view = each.head.effective_view();
      auto at = std::ranges::find(counted, view, [](const auto& known) { return known.first; });
      if (at == counted.end())
        at = counted.insert(at, {view, static_cast<double>(kernels::visible_pairs(each.head, grid, c.prefix()))});
      pairs += at->second;
    }
  }
  double all = patches * static_cast<double>(c.patch * c.patch * c.channels) * dim;
  all += static_cast<double>(c.depth) * tokens * (4 * dim * dim + mlp) + 2 * pairs * dim / static_cast<double>(c.heads);
  if (c.pool == Pooling::map) {
    const double pooled = c.pool_include_prefix ? tokens : patches;
    all += 2 * (pooled + 1) * dim * dim + 2 * pooled * pooled * dim + mlp;  // as map_pool.h does it: queries alike
  }
  if (c.head == HeadType::linear) all += (c.distilled ? 2 : 1) * dim * classes;
  if (c.head == HeadType::mlp) all += hidden * (dim + classes);
  return all;
}

ViTConfig model_preset(const std::string& name) {
  ViTConfig c;
  c.position = position_preset("lookhere");
  if (name == "vit_tiny")
    c.dim = 192, c.heads = 3;
  else if (name == "vit_small")
    c.dim = 384, c.heads = 6;
  else if (name == "vit_base")
    c.dim = 768, c.heads = 12;
  else if (name == "vit_base_lookhere") {
    c.dim = 768, c.heads = 12, c.norm_eps = 1e-5, c.layer_scale = true, c.head = HeadType::mlp;
  } else if (name == "nano") {
    c.height = c.width = 28, c.patch = 4, c.channels = 1, c.classes = 10;
    c.dim = 64, c.depth = 6, c.heads = 4, c.mlp_ratio = 2, c.pool = Pooling::mean;
  } else {
    fail("model: wanted one of nano, vit_tiny, vit_small, vit_base, vit_base_lookhere, got ", shown(name));
  }
  return c;
}

}  // namespace lookhere
