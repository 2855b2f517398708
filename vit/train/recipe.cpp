// From the recipe's fields to the parts of a run.
#include "vit/train/recipe.h"

#include <toml++/toml.h>

#include <cmath>
#include <sstream>

#include "tensor/file.h"
#include "vit/model/json.h"
#include "vit/show/text.h"

namespace lookhere {
namespace {

std::string toml_value(const std::string& value) { return nlohmann::json(value).dump(); }
std::string toml_value(bool value) { return value ? "true" : "false"; }
std::string toml_value(long value) { return std::to_string(value); }
std::string toml_value(double value) { return nlohmann::json(value).dump(); }
template <class T>
std::string toml_value(const std::vector<T>& values) {
  return nlohmann::json(values).dump();
}
nlohmann::json read_toml(const std::string& path) {
  const MappedFile file(path);
  try {
    std::ostringstream json;
    json.exceptions(std::ios::badbit);
    json << toml::json_formatter(toml::parse(file.text()));
    return nlohmann::json::parse(json.str());
  } catch (const toml::parse_error& error) {
    fail(path, ": line ", error.source().begin.line, ": ", shown(error.description()));
  }
}

template <class T>
bool is_unset(const T& value) {
  if constexpr (requires { value.empty(); }) return value.empty();
  return false;
}

}  // namespace

void Recipe::validate() {
  const auto in_range = [](const char* name, double value, double low, double high) {
    check(value >= low && value <= high, "--", name, ": wanted ", low, " to ", high, ", got ", value);
  };
  constexpr double kMany = 1e9;
  check(is_utf8(data), "--data: wanted a name that is UTF-8, as it is stored with the run, got ", shown(data));
  in_range("epochs", static_cast<double>(epochs), 1, 1e6);
  in_range("batch-size", static_cast<double>(batch_size), 1, 1 << 20);
  in_range("grad-accum-steps", static_cast<double>(grad_accum_steps), 1, 1 << 20);
  in_range("seed", static_cast<double>(seed), 0, 9e15);
  in_range("lr", lr, 0, 1e3);
  in_range("warmup-lr", warmup_lr, 0, 1e3);
  in_range("min-lr", min_lr, 0, 1e3);
  in_range("warmup-epochs", warmup_epochs, 0, kMany);
  in_range("weight-decay", weight_decay, 0, 1e3);
  in_range("clip-grad", clip_grad, 0, kMany);
  in_range("smoothing", smoothing, 0, 0.999);
  in_range("drop", drop, 0, 0.999);
  in_range("drop-path", drop_path, 0, 0.999);
  in_range("model-ema-decay", model_ema_decay, 0, 0.999999);
  in_range("hflip", hflip, -1, 1);
  in_range("crop-padding", static_cast<double>(crop_padding), 0, 1024);
  in_range("shapes-train", static_cast<double>(shapes_train), 1, 1e7);
  in_range("shapes-test", static_cast<double>(shapes_test), 1, 1e7);
  in_range("eval-batch-size", static_cast<double>(eval_batch_size), 1, 1 << 20);
  in_range("workers", static_cast<double>(workers), 1, 256);
  in_range("init-std", init_std, 0, 10);
  dtype_of(*this);
  in_range("shards", static_cast<double>(shards), 0, 1024);
  in_range("recovery-interval", static_cast<double>(recovery_interval), 0, kMany);
  in_range("img-size", static_cast<double>(img_size), 0, 16384);
  in_range("patch-size", static_cast<double>(patch_size), 0, 1024);
  in_range("mlp-ratio", mlp_ratio, 0, 64);
  in_range("layer-scale", layer_scale, -kMany, 1e3);
  in_range("global-slope", global_slope, -kMany, 1e6);
  check(layer_slopes.empty() || layer_slopes.size() == 2,
        "--layer-slopes: wanted two numbers, first and last layer, got ", layer_slopes.size());
  for (const double slope : layer_slopes) in_range("layer-slopes", slope, 0, 1e6);
}

std::string to_json(const Recipe& recipe) {
  auto json = nlohmann::ordered_json::object();
  Recipe(recipe).visit([&](const char* name, const auto& field, const char*) { json[name] = field; });
  return json.dump();
}

void update_from_json(Recipe& recipe, const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  check(json.is_object(), "recipe: wanted a JSON object, got ", json.type_name());
  recipe.visit([&]<class T>(const char* name, T& value, const char*) {
    if (!json.contains(name)) return;
    try {
      check(!std::is_same_v<T, long> || json[name].is_number_integer(), "recipe: '", name,
            "' must be a whole number, got ", described(json[name]));
      value = json[name].get<T>();
    } catch (const nlohmann::json::exception&) {
      fail("recipe: '", name, "' has the wrong type: ", described(json[name]));
    }
  });
  recipe.validate();
}

Dtype dtype_of(const Recipe& recipe) {
  check(recipe.dtype == "f32" || recipe.dtype == "bf16", "--dtype: wanted f32 or bf16, got ", shown(recipe.dtype));
  return recipe.dtype == "bf16" ? Dtype::bf16 : Dtype::f32;
}

std::string to_toml(const Recipe& recipe) {
  std::string text;
  Recipe(recipe).visit([&](const char* name, const auto& field, const char* description) {
    if (!is_unset(field)) text += concat("# ", description, "\n", name, " = ", toml_value(field), "\n");
  });
  return text;
}

void update_from_toml(Recipe& recipe, const std::string& path) {
  const nlohmann::json json = read_toml(path);
  for (const auto& item : json.items()) {
    bool known = false;
    recipe.visit([&](const char* name, const auto&, const char*) { known |= item.key() == name; });
    check(known, path, ": there is no option ", shown(item.key()));
  }
  try {
    update_from_json(recipe, json.dump());
  } catch (const Error& error) {
    fail(path, ": ", error.what());
  }
}

ViTConfig model_config(const Recipe& r, const Dataset& data) {
  ViTConfig c = model_preset(r.model);
  c.channels = data.channels, c.classes = data.classes;
  if (r.model == "nano") c.height = data.height, c.width = data.width;
  if (r.img_size) c.height = c.width = r.img_size;
  if (r.patch_size) c.patch = r.patch_size;
  if (r.dim) c.dim = r.dim;
  if (r.depth) c.depth = r.depth;
  if (r.heads) c.heads = r.heads;
  if (r.mlp_ratio > 0) c.mlp_ratio = r.mlp_ratio;
  // 0.02 suits wide models; narrow ones learn faster when layers keep the size of what passes through them.
  if (r.model == "nano") c.init_std = 1 / std::sqrt(static_cast<double>(c.dim));
  if (r.init_std > 0) c.init_std = r.init_std;
  if (r.layer_scale >= 0) c.layer_scale = r.layer_scale > 0, c.layer_scale_init = r.layer_scale;
  check(r.head.empty() || r.head == "linear" || r.head == "mlp", "--head: wanted linear or mlp, got '", r.head, "'");
  check(r.pool.empty() || r.pool == "cls" || r.pool == "mean", "--pool: wanted cls or mean, got '", r.pool, "'");
  if (!r.head.empty()) c.head = r.head == "mlp" ? HeadType::mlp : HeadType::linear;
  if (!r.pool.empty()) c.pool = r.pool == "mean" ? Pooling::mean : Pooling::cls;
  c.position = position_preset(r.position);
  const bool tuned =
      !r.directions.empty() || r.global_slope >= 0 || !r.layer_slopes.empty() || !r.distance.empty() || !r.fill.empty();
  check(!tuned || c.position.type == PositionType::lookhere, "--position ", r.position,
        ": --directions, --global-slope, --layer-slopes, --distance and --fill belong to LookHere positions");
  LookHereConfig& lh = c.position.lookhere;
  if (!r.directions.empty()) lh.directions = r.directions;
  if (r.global_slope >= 0) lh.global_slope = r.global_slope;
  if (!r.layer_slopes.empty()) lh.layer_slopes = {r.layer_slopes[0], r.layer_slopes[1]};
  if (!r.distance.empty()) lh.distance = distance_from_name(r.distance);
  if (!r.fill.empty()) lh.fill = fill_from_name(r.fill);
  return c;
}

LoaderOptions evaluation_loader(const Recipe& r, const ViTConfig& model) {
  return {.batch_size = r.eval_batch_size,
          .image_height = model.height,
          .image_width = model.width,
          .workers = static_cast<int>(r.workers),
          .batch_option = "--eval-batch-size"};
}
LoaderOptions training_loader(const Recipe& r, const ViTConfig& model, const Dataset& data) {
  LoaderOptions options = evaluation_loader(r, model);
  options.batch_size = r.batch_size, options.batch_option = "--batch-size";
  options.shuffle = options.drop_last = true;
  options.crop_padding = r.crop_padding;
  options.hflip = r.hflip >= 0 ? r.hflip : data.mirror_by_default ? 0.5 : 0;
  options.seed = static_cast<std::uint64_t>(r.seed);
  return options;
}

DatasetOptions dataset_options(const Recipe& r) {
  DatasetOptions options;
  options.shapes_train = r.shapes_train, options.shapes_test = r.shapes_test;
  if (r.img_size) options.shapes_size = r.img_size;
  return options;
}

AdamWOptions optimizer_options(const Recipe& r) {
  return {.weight_decay = r.weight_decay, .clip_norm = r.clip_grad, .ema_decay = r.model_ema_decay};
}

Schedule schedule_of(const Recipe& r, long steps_per_epoch) {
  const auto per_epoch = static_cast<double>(steps_per_epoch);
  return {.peak = r.lr,
          .start = std::min(r.warmup_lr, r.lr),
          .end = std::min(r.min_lr, r.lr),
          .warmup_steps = std::min(std::lround(r.warmup_epochs * per_epoch), r.epochs * steps_per_epoch - 1),
          .total_steps = r.epochs * steps_per_epoch};
}

}  // namespace lookhere
