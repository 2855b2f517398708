// From the recipe's fields to the parts of a run.
#include "vit/train/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/file.h"
#include "tensor/machine.h"
#include "tensor/text.h"
#include "vit/model/json.h"
#include "vit/model/preprocessing.h"
#include "vit/train/recipe_file.h"

namespace lookhere {
namespace {

template <class T>
void check_field(const char* name, const T& value, Range range) {
  if constexpr (std::is_same_v<T, long> || std::is_same_v<T, double>) {
    check_range(concat("--", name), range, value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    check(is_utf8(value), "--", name, ": wanted UTF-8 text, got ", shown(value));
  } else if constexpr (!std::is_same_v<T, bool>) {
    for (const auto& element : value) check_field(name, element, range);
  }
}

template <class T>
constexpr const char* kWanted = "a list of numbers";
template <>
constexpr const char* kWanted<std::vector<std::string>> = "a list of texts";
template <>
constexpr const char* kWanted<std::string> = "a text";
template <>
constexpr const char* kWanted<double> = "a number";
template <>
constexpr const char* kWanted<bool> = "true or false";

template <class T>
void set_field(const RecipeOption& option, T& field, const nlohmann::json& value) {
  const auto& [name, group, help, range] = option;
  if constexpr (std::is_same_v<T, long>) {
    check(value.is_number_integer(), "'", name, "' must be a whole number, got ", described(value));
    check(!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::numeric_limits<long>::max(), "--", name,
          ": wanted ", static_cast<long>(range.low), " to ", static_cast<long>(range.high), ", got ",
          value.get<std::uint64_t>());
  }
  try {
    field = value.get<T>();
  } catch (const nlohmann::json::exception&) {
    fail("'", name, "': wanted ", kWanted<T>, ", got ", described(value));
  }
  check_field(name, field, range);
}

}  // namespace

void Recipe::validate() const {
  Recipe(*this).visit(
      [](const RecipeOption& option, const auto& field) { check_field(option.name, field, option.range); });
  dtype_of(*this);
  const auto one_of = [](const char* name, const std::string& value, std::initializer_list<const char*> known) {
    std::string list;
    for (const char* each : known) list += concat(list.empty() ? "" : ", ", each);
    check(std::ranges::find(known, value) != known.end(), "--", name, ": wanted one of ", list, ", got ", shown(value));
  };
  if (aa.starts_with("rand-"))
    timm_rand_augment_from_text(aa);
  else
    one_of("aa", aa, {"none", "3a", "rand"});
  one_of("interpolation", interpolation, {"bilinear", "bicubic"});
  if (!train_interpolation.empty()) one_of("train-interpolation", train_interpolation, {"bilinear", "bicubic"});
  one_of("train-crop-mode", train_crop_mode, {"rrc", "src"});
  one_of("class-order", class_order, {"plain", "natural"}), one_of("on-bad-image", on_bad_image, {"error", "skip"});
  one_of("decode", decode, {"full", "scaled"});
  const auto range = [](const char* name, const std::vector<double>& values) {
    check(values.size() == 2 && values[0] > 0 && values[0] <= values[1], "--", name, ": wanted 0 < LOW <= HIGH, got ",
          to_text(nlohmann::json(values)));
  };
  if (!scale.empty()) range("scale", scale);
  one_of("sched-style", sched_style, {"plain", "timm"});
  range("ratio", ratio), range("glyphs-zoom", glyphs_zoom);
  if (initial_checkpoint.empty() || !position.empty()) position_preset(position, position_options);
}

std::vector<std::string> Recipe::notes(long ranks) const {
  std::vector<std::string> lines;
  const double peak = peak_lr_of(*this);
  if (lr_base_size > 0)
    lines.push_back(fmt::format("learning rate {} x {} images / {} = {:.4g}", lr, batch_size * grad_accum_steps,
                                lr_base_size, peak));
  if (min_lr > peak)
    lines.push_back(fmt::format("--min-lr {} is above --lr {}: the learning rate ends at {}", min_lr, peak, peak));
  if (warmup_lr > peak && warmup_epochs > 0)
    lines.push_back(
        fmt::format("--warmup-lr {} is above --lr {}: the learning rate starts at {}", warmup_lr, peak, peak));
  if (warmup_epochs >= static_cast<double>(epochs))
    lines.push_back(
        fmt::format("--warmup-epochs {} is not below --epochs {}: the learning rate rises up to the last update",
                    warmup_epochs, epochs));
  if (train_crop_mode == "src" && !scale.empty()) lines.emplace_back("--scale is for --train-crop-mode rrc: not used");
  if (cuda_graph && device_of(*this) != Device::cuda) lines.emplace_back("--cuda-graph is for --device cuda: not used");
  if (!deterministic_reduce && device_of(*this) != Device::cuda)
    lines.emplace_back("--no-deterministic-reduce is for --device cuda: not used");
  if (cuda_graph && shards > ranks)
    lines.push_back(ranks == 1
                        ? fmt::format("--cuda-graph is for one shard, and --shards is {}: not used", shards)
                        : fmt::format("--cuda-graph is for one shard on each of {} ranks, and --shards is {}: not used "
                                      "where there are more",
                                      ranks, shards));
  return lines;
}

std::string to_json(const Recipe& recipe) {
  auto json = nlohmann::ordered_json::object();
  Recipe(recipe).visit([&](const RecipeOption& option, const auto& field) { json[option.name] = field; });
  return to_text(json);
}

void update_from_json(Recipe& recipe, const std::string& text) {
  const nlohmann::json json = parse_object(text, "recipe");
  try {
    recipe.visit([&](const RecipeOption& option, auto& field) {
      if (json.contains(option.name)) set_field(option, field, json[option.name]);
    });
    recipe.validate();
  } catch (const Error& error) {
    fail("recipe: ", error.what());
  }
}

Dtype dtype_of(const Recipe& recipe) {
  check(recipe.dtype == "f32" || recipe.dtype == "bf16", "--dtype: wanted f32 or bf16, got ", shown(recipe.dtype));
  return recipe.dtype == "bf16" ? Dtype::bf16 : Dtype::f32;
}

long shards_of(const Recipe& recipe) {
  constexpr long kMost = 1024;
  if (recipe.shards > 0) return recipe.shards;
  return device_of(recipe) == Device::cuda ? 1 : std::min({long{thread_count()}, recipe.batch_size, kMost});
}
Device device_of(const Recipe& recipe) { return device_from_name(recipe.device); }

std::string to_toml(const Recipe& recipe) {
  const nlohmann::json usual = parse_object(to_json(Recipe()), "recipe");
  std::string text;
  Recipe(recipe).visit([&](const RecipeOption& option, const auto& field) {
    const std::string value = to_text(nlohmann::json(field));
    const bool empty = value == "\"\"" || value == "[]";
    if (!empty || value != to_text(usual[option.name]))
      text += concat("# ", option.help, "\n", option.name, " = ", value, "\n");
  });
  return text;
}

void update_from_toml(Recipe& recipe, const std::string& path) {
  update_from_toml_text(recipe, MappedFile(path).text(), path);
}

void update_from_toml_text(Recipe& recipe, std::string_view text, const std::string& path) {
  read_recipe_file(text, path, [&](const std::string& wanted, const nlohmann::json& value) {
    bool known = false;
    recipe.visit([&](const RecipeOption& option, auto& field) {
      if (option.name == wanted) known = true, set_field(option, field, value);
    });
    check(known, "there is no option ", shown(wanted));
  });
  try {
    recipe.validate();
  } catch (const Error& error) {
    fail(path, ": ", error.what());
  }
}

ViTConfig model_config(const Recipe& r, const Dataset& data, const std::optional<ViTConfig>& begun) {
  ViTConfig c = begun && r.model.empty() ? *begun : model_preset(r.model);
  c.channels = data.channels, c.classes = data.classes;
  if (r.model == "nano") c.height = data.height, c.width = data.width;
  if (r.img_size) c.height = c.width = r.img_size;
  check(c.height > 0, "--img-size: wanted the side of the model's images, for those of ", data.name,
        " have sizes of their own");
  if (r.patch_size) c.patch = r.patch_size;
  if (r.dim) c.dim = r.dim;
  if (r.depth) c.depth = r.depth;
  if (r.heads) c.heads = r.heads;
  if (r.mlp_ratio > 0) c.mlp_ratio = r.mlp_ratio;
  if (!r.activation.empty()) c.activation = r.activation;
  check(r.attention.empty() || r.attention == "softmax" || r.attention == "sigmoid",
        "--attention: wanted softmax or sigmoid, got ", shown(r.attention));
  if (!r.attention.empty())
    c.attention = r.attention == "sigmoid" ? AttentionWeights::sigmoid : AttentionWeights::softmax;
  // 0.02 suits wide models; narrow ones learn faster when layers keep the size of what passes through them.
  if (r.model == "nano") c.init_std = 1 / std::sqrt(static_cast<double>(c.dim));
  if (r.init_std > 0) c.init_std = r.init_std;
  if (r.layer_scale >= 0) c.layer_scale = r.layer_scale > 0, c.layer_scale_init = r.layer_scale;
  check(r.head.empty() || r.head == "linear" || r.head == "mlp", "--head: wanted linear or mlp, got ", shown(r.head));
  check(r.pool.empty() || r.pool == "cls" || r.pool == "mean", "--pool: wanted cls or mean, got ", shown(r.pool));
  if (!r.head.empty())
    c.head = r.head == "mlp" ? HeadType::mlp : HeadType::linear;
  else if (c.head == HeadType::none)
    c.head = HeadType::linear;
  if (!r.pool.empty()) c.pool = r.pool == "mean" ? Pooling::mean : Pooling::cls;
  c.position = begun && r.position.empty() ? with_options(begun->position, r.position_options)
                                           : position_preset(r.position, r.position_options);
  return c;
}

namespace {

std::vector<std::uint8_t> mean_colour(const Dataset& data) {
  std::vector<std::uint8_t> colour;
  for (const float mean : data.mean)
    colour.push_back(static_cast<std::uint8_t>(std::clamp(std::lrint(255.0 * static_cast<double>(mean)), 0L, 255L)));
  return colour;
}

double hflip_of(const Recipe& r, const Dataset& data) {
  return r.hflip >= 0 ? r.hflip : data.mirror_by_default ? 0.5 : 0;
}

}  // namespace

std::optional<AugmentOptions> augmentation_of(const Recipe& r, const Dataset& data) {
  const bool simple = r.train_crop_mode == "src", photographs = data.height == 0;
  const bool crops = simple || photographs || !r.scale.empty();
  if (!crops && r.aa == "none" && r.color_jitter == 0 && r.reprob == 0) return std::nullopt;
  check(r.crop_padding == 0, "--crop-padding goes neither with photographs nor with --scale, --aa, --color-jitter, ",
        "--reprob and --train-crop-mode src: use --scale for crops");
  const double jitter = r.color_jitter;
  const std::string& interpolation = r.train_interpolation.empty() ? r.interpolation : r.train_interpolation;
  AugmentOptions o{.crop_mode = simple  ? CropMode::simple
                                : crops ? CropMode::random_resized
                                        : CropMode::whole,
                   .interpolation = interpolation_from_name(interpolation),
                   .hflip = hflip_of(r, data),
                   .operations = static_cast<int>(r.ra_ops),
                   .level = static_cast<int>(r.ra_magnitude),
                   .jitter = {.brightness = jitter, .contrast = jitter, .saturation = jitter},
                   .erase = {.probability = r.reprob},
                   .scaled_decoding = r.decode == "scaled"};
  if (!r.scale.empty()) o.crop.min_scale = r.scale[0], o.crop.max_scale = r.scale[1];
  o.crop.min_ratio = r.ratio[0], o.crop.max_ratio = r.ratio[1];
  if (r.aa == "3a") o.policy = AugmentPolicy::three_augment;
  if (r.aa == "rand") o.policy = AugmentPolicy::rand_augment;
  if (r.aa.starts_with("rand-"))
    o.policy = AugmentPolicy::timm_rand_augment, o.timm = timm_rand_augment_from_text(r.aa), o.fill = mean_colour(data);
  return o;
}

Split load_training_split(const Recipe& r) {
  Dataset data = load_dataset(r.data, true, dataset_options(r));
  if (r.crop_pct > 0) data.crop_ratio = r.crop_pct;
  if (data.crop_ratio > 0) data.interpolation = interpolation_from_name(r.interpolation);
  return hold_out(std::move(data), r.holdout);
}
Dataset load_training_data(const Recipe& r) { return load_training_split(r).kept; }

LoaderOptions evaluation_loader(const Recipe& r, const ViTConfig& model) {
  return {.batch_size = r.eval_batch_size,
          .image_height = model.height,
          .image_width = model.width,
          .workers = static_cast<int>(r.workers),
          .device = device_of(r),
          .batch_option = "--eval-batch-size"};
}
LoaderOptions training_loader(const Recipe& r, const ViTConfig& model, const Dataset& data) {
  LoaderOptions options = evaluation_loader(r, model);
  options.batch_size = r.batch_size, options.batch_option = "--batch-size";
  options.shuffle = options.drop_last = true;
  options.repeats = std::max(r.aug_repeats, 1L);
  options.crop_padding = r.crop_padding;
  options.hflip = hflip_of(r, data);
  options.augment = augmentation_of(r, data);
  options.mix = {.mixup_alpha = r.mixup,
                 .cutmix_alpha = r.cutmix,
                 .probability = r.mixup_prob,
                 .switch_probability = r.mixup_switch_prob};
  options.smoothing = r.smoothing;
  options.seed = static_cast<std::uint64_t>(r.seed);
  return options;
}

LoaderOptions training_loader(const Recipe& r, const Dataset& data) {
  ViTConfig model;
  model.height = r.img_size ? r.img_size : data.height, model.width = r.img_size ? r.img_size : data.width;
  check(model.height > 0, "--img-size: wanted the side of the model's images, for those of ", data.name,
        " have sizes of their own");
  return training_loader(r, model, data);
}

DatasetOptions dataset_options(const Recipe& r) {
  DatasetOptions options;
  options.shapes_train = r.shapes_train, options.shapes_test = r.shapes_test;
  options.glyphs_train = r.glyphs_train, options.glyphs_test = r.glyphs_test, options.glyphs_zoom = r.glyphs_zoom;
  if (r.img_size) options.shapes_size = options.glyphs_size = r.img_size;
  options.natural_class_order = r.class_order == "natural";
  options.class_map = r.class_map, options.val_split = r.val_split, options.on_bad_image = r.on_bad_image;
  return options;
}

AdamWOptions optimizer_options(const Recipe& r) {
  return {.weight_decay = r.weight_decay, .clip_norm = r.clip_grad, .ema_decay = r.model_ema_decay};
}

double peak_lr_of(const Recipe& r) {
  const auto images = static_cast<double>(r.batch_size * r.grad_accum_steps);
  return r.lr_base_size > 0 ? r.lr * images / r.lr_base_size : r.lr;
}

Schedule schedule_of(const Recipe& r, long steps_per_epoch) {
  const auto per_epoch = static_cast<double>(steps_per_epoch);
  const double peak = peak_lr_of(r);
  return {.peak = peak,
          .start = std::min(r.warmup_lr, peak),
          .end = std::min(r.min_lr, peak),
          .warmup_steps = std::min(std::lround(r.warmup_epochs * per_epoch), r.epochs * steps_per_epoch - 1),
          .total_steps = r.epochs * steps_per_epoch,
          .cosine_from_start = r.sched_style == "timm"};
}

}  // namespace lookhere
