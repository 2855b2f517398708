// Each source fills in what those before it have left open.
#include "vit/model/import/facts.h"

#include <algorithm>
#include <filesystem>

#include "tensor/text.h"
#include "vit/model/import/timm_models.h"
#include "vit/model/json.h"
#include "vit/model/position/lookhere.h"
#include "vit/model/vit.h"

namespace lookhere {
namespace {

constexpr long kMany = 1L << 20;

template <class T>
void fill(T& open, const T& value) {
  if (open == T()) open = value;
}

std::vector<double> numbers_of(const nlohmann::json& json, const char* name) {
  check(json.is_array() && json.size() <= 4096, "config: '", name, "' must be a list of numbers, got ",
        described(json));
  std::vector<double> all;
  for (const auto& value : json) all.push_back(number_in(value, name, -1e6, 1e6));
  return all;
}

void add_timm(Facts& facts, const std::string& name) {
  const TimmModel& model = timm_model(name);
  fill(facts.heads, model.heads);
  fill(facts.norm_eps, model.norm_eps);
  fill(facts.activation, std::string(model.activation));
  fill(facts.pool, std::string(model.pool));
  if (model.mean != nullptr) fill(facts.mean, *model.mean), fill(facts.std, *model.std);
  fill(facts.crop_pct, model.crop_pct);
  fill(facts.interpolation, std::string(model.interpolation));
  facts.from.push_back(concat("timm's architecture ", model.name));
}

// How images become pixels, in timm's words, which are ours too.
void add_images(Facts& facts, const nlohmann::json& images) {
  if (images.contains("mean")) fill(facts.mean, numbers_of(images["mean"], "mean"));
  if (images.contains("std")) fill(facts.std, numbers_of(images["std"], "std"));
  if (images.contains("crop_pct")) fill(facts.crop_pct, number_in(images["crop_pct"], "crop_pct", 0, 16));
  if (images.contains("interpolation")) fill(facts.interpolation, text_of(images["interpolation"], "interpolation"));
}

// timm's config.json: the architecture, and the weights' own preprocessing, which goes before the architecture's.
void add_timm_config(Facts& facts, const nlohmann::json& json) {
  if (json.contains("global_pool")) {
    const std::string pool = text_of(json["global_pool"], "global_pool");
    if (pool == "token") fill(facts.pool, std::string("cls"));
    if (pool == "avg") fill(facts.pool, std::string("mean"));
    if (pool == "map") fill(facts.pool, pool);
  }
  if (json.contains("pretrained_cfg") && json["pretrained_cfg"].is_object()) add_images(facts, json["pretrained_cfg"]);
  facts.from.emplace_back("config.json");
  add_timm(facts, text_of(json["architecture"], "architecture"));
}

std::string activation_from(const std::string& name) {
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return "gelu_tanh";
  return name == "swish" ? "silu" : name;
}

// {"0": "tench", ...}; nothing where they are Hugging Face's placeholders.
std::vector<std::string> classes_of(const nlohmann::json& json) {
  std::vector<std::string> names;
  if (!json.is_object()) return names;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const std::string key = std::to_string(i);
    check(json.contains(key), "config: 'id2label' has no class ", key);
    names.push_back(text_of(json[key], "id2label"));
  }
  const bool placeholders = std::ranges::all_of(names, [](const auto& name) { return name.starts_with("LABEL_"); });
  return placeholders ? std::vector<std::string>() : names;
}

void add_hugging_face_config(Facts& facts, const nlohmann::json& json) {
  const std::string type = text_of(json["model_type"], "model_type");
  const std::vector<std::string> known{"vit", "deit", "dinov2", "dinov2_with_registers"};
  check(std::ranges::find(known, type) != known.end(), "config: 'model_type' must be one of ", joined(known), ", got ",
        shown(type));
  fill(facts.heads, integer_in(field(json, "num_attention_heads"), "num_attention_heads", 1, kMany));
  fill(facts.norm_eps, number_in(field(json, "layer_norm_eps"), "layer_norm_eps", 0, 1));
  const bool swiglu = json.contains("use_swiglu_ffn") && flag_of(json["use_swiglu_ffn"], "use_swiglu_ffn");
  fill(facts.activation, swiglu ? "swiglu" : activation_from(text_of(field(json, "hidden_act"), "hidden_act")));
  fill(facts.pool, std::string("cls"));
  fill(facts.resize, std::string("bicubic"));
  if (json.contains("id2label")) fill(facts.class_names, classes_of(json["id2label"]));
  facts.from.push_back("config.json, " + type);
}

// Hugging Face's: how images become pixels. Crops and filters that have no name here are left open.
void add_hugging_face_images(Facts& facts, const nlohmann::json& json) {
  if (json.contains("image_mean")) fill(facts.mean, numbers_of(json["image_mean"], "image_mean"));
  if (json.contains("image_std")) fill(facts.std, numbers_of(json["image_std"], "image_std"));
  if (json.contains("resample") && json["resample"] == 2) fill(facts.interpolation, std::string("bilinear"));
  if (json.contains("resample") && json["resample"] == 3) fill(facts.interpolation, std::string("bicubic"));
  const bool crops = json.contains("do_center_crop") && json["do_center_crop"] == true;
  const auto side = [&](const char* name, const char* part) {
    const bool has = json.contains(name) && json[name].is_object() && json[name].contains(part);
    return has ? static_cast<double>(integer_in(json[name][part], part, 1, kMany)) : 0;
  };
  if (!crops) fill(facts.crop_pct, 1.0);
  if (const double size = side("size", "shortest_edge"); crops && size > 0)
    fill(facts.crop_pct, side("crop_size", "height") / size);
  facts.from.emplace_back("preprocessor_config.json");
}

// {"weights", "config"}: LookHere's authors have one architecture, ViT-B/16 of 224 pixels, and prepare images one way.
void add_lookhere(Facts& facts, const nlohmann::json& config) {
  nlohmann::json position = config;
  position["type"] = "lookhere";
  position["directions"] = config["head_directions"];
  if (config.contains("fill_with")) position["fill"] = config["fill_with"];
  if (!facts.position) facts.position = lookhere_position(lookhere_config_from_json(position));
  fill(facts.heads, 12L);
  fill(facts.norm_eps, 1e-5);
  fill(facts.activation, std::string("gelu"));
  fill(facts.pool, std::string("cls"));
  if (facts.height == 0) facts.height = facts.width = 224;
  fill(facts.mean, {0.485, 0.456, 0.406});
  fill(facts.std, {0.229, 0.224, 0.225});
  fill(facts.crop_pct, 0.875);
  fill(facts.interpolation, std::string("bilinear"));
  facts.from.emplace_back("the release of LookHere's authors");
}

// What `lookhere export` has left in a file's metadata.
void add_exported(Facts& facts, const nlohmann::json& metadata) {
  const ViTConfig c = config_from_json(text_of(metadata["lookhere.config"], "lookhere.config"));
  fill(facts.heads, c.heads);
  fill(facts.norm_eps, c.norm_eps);
  fill(facts.activation, c.activation);
  const std::string pool = c.pool == Pooling::map ? "map" : c.pool == Pooling::mean ? "mean" : "cls";
  fill(facts.pool, c.pool_include_prefix ? pool + "_prefix" : pool);
  if (facts.height == 0) facts.height = c.height, facts.width = c.width;
  if (!facts.position) facts.position = c.position;
  if (metadata.contains("preprocessing"))
    add_images(facts, parse_object(text_of(metadata["preprocessing"], "preprocessing"), "preprocessing"));
  if (metadata.contains("class_names") && facts.class_names.empty()) {
    const nlohmann::json names = parse_json(text_of(metadata["class_names"], "class_names"), "class_names", 16L << 20);
    check(names.is_array(), "class_names: wanted a list of texts, got ", names.type_name());
    for (const auto& name : names) facts.class_names.push_back(text_of(name, "class_names"));
  }
  facts.from.emplace_back("lookhere export");
}

// What `add` makes of a JSON file beside `path`, if there is one.
template <class Add>
void add_beside(const std::string& path, const char* name, Add add) {
  const std::filesystem::path beside = std::filesystem::path(path).parent_path() / name;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(beside, ignored)) return;
  const MappedFile file(beside.string());
  try {
    add(parse_object(file.text(), "text"));
  } catch (const Error& error) {
    fail(beside.string(), ": ", error.what());
  }
}

}  // namespace

Facts facts_of(const ForeignFile& file, const Facts& given, const std::string& timm_name) {
  Facts facts = given;
  if (!timm_name.empty()) add_timm(facts, timm_name);
  add_beside(file.path, "config.json", [&](const nlohmann::json& json) {
    if (json.contains("architecture")) return add_timm_config(facts, json);
    if (json.contains("model_type")) add_hugging_face_config(facts, json);
  });
  add_beside(file.path, "preprocessor_config.json",
             [&](const nlohmann::json& json) { add_hugging_face_images(facts, json); });
  try {
    if (file.config.contains("head_directions")) add_lookhere(facts, file.config);
    if (file.config.contains("lookhere.config")) add_exported(facts, file.config);
  } catch (const Error& error) {
    fail(file.path, ": ", error.what());
  }
  return facts;
}

}  // namespace lookhere
