// Loading trusts nothing: the shapes that decide how much memory a model takes are compared with the file's header
// before the model is made.
#include "vit/model/weights.h"

#include <algorithm>
#include <set>

#include "nn/activation.h"
#include "tensor/finite.h"
#include "tensor/pool.h"
#include "vit/model/json.h"

namespace lookhere {
namespace {

constexpr long kMaxClassNames = 16L << 20;  // bytes

bool belongs_to_training(const std::string& name) { return name.starts_with("optimizer.") || name.starts_with("ema."); }

void check_shape(const Safetensors& file, const std::string& name, const Shape& wanted) {
  const auto& entries = file.entries();
  const auto entry = std::ranges::find(entries, name, &Safetensors::Entry::name);
  check(entry != entries.end(), file.path(), ": tensor '", name, "' is missing, wanted ", wanted);
  check(entry->shape == wanted, file.path(), ": tensor '", name, "' must be ", wanted, ", got ", entry->shape);
}

void check_shapes(const Safetensors& file, const ViTConfig& c) {
  if (c.class_token) check_shape(file, "cls_token", {1, 1, c.dim});
  if (c.registers) check_shape(file, "reg_token", {1, c.registers, c.dim});
  check_shape(file, "patch_embed.proj.weight", {c.dim, c.channels, c.patch, c.patch});
  for (long i = 0; i < c.depth; ++i) {
    const std::string block = "blocks." + std::to_string(i);
    check_shape(file, block + ".attn.qkv.weight", {3 * c.dim, c.dim});
    check_shape(file, block + ".mlp.fc1.weight", {c.mlp_hidden(), c.dim});
    const long gates = mlp_activation(c.activation).gated ? 2 : 1;
    check_shape(file, block + ".mlp.fc2.weight", {c.dim, c.mlp_hidden() / gates});
  }
  for (const PositionParameter& p : c.position->parameters(c.position_sizes())) check_shape(file, p.name, p.shape);
  if (c.head == HeadType::none) return;
  if (c.head == HeadType::linear) return check_shape(file, "head.weight", {c.classes, c.dim});
  check_shape(file, "head.fc1.weight", {c.mlp_hidden(), c.dim});
  check_shape(file, "head.fc2.weight", {c.classes, c.mlp_hidden()});
}

}  // namespace

NamedTensors weights_of(ViT& model) {
  NamedTensors tensors;
  for_each_parameter(model, [&](const std::string& name, const Var& p) { tensors.emplace_back(name, p.value()); });
  return tensors;
}

Metadata metadata_of(const ViT& model) { return {{"config", to_json(model.config())}}; }

Metadata class_names_metadata(const std::vector<std::string>& names) {
  return {{"class_names", to_text(nlohmann::json(names))}};
}

std::vector<std::string> class_names_of(const Safetensors& file, long classes) {
  std::vector<std::string> names;
  for (long c = 0; c < classes; ++c) names.push_back("class " + std::to_string(c));
  const auto found = file.metadata().find("class_names");
  if (found == file.metadata().end()) return names;
  const nlohmann::json json = parse_json(found->second, file.path() + ": class_names", kMaxClassNames);
  const bool usable = json.is_array() && static_cast<long>(json.size()) == classes &&
                      std::ranges::all_of(json, [](const auto& name) { return name.is_string(); });
  check(usable, file.path(), ": 'class_names' in the metadata must be ", classes, " strings");
  return json.get<std::vector<std::string>>();
}

void save_model(const std::string& path, ViT& model, const Metadata& more) {
  Metadata metadata = metadata_of(model);
  metadata.insert(more.begin(), more.end());
  save_safetensors(path, weights_of(model), metadata, Hashes::all);
}

ViTConfig config_of(const Safetensors& file) {
  const auto found = file.metadata().find("config");
  check(found != file.metadata().end(), file.path(),
        ": the metadata has no 'config', so this is no model of lookhere; `lookhere import` makes one of timm's, "
        "Hugging Face's and others");
  try {
    return config_from_json(found->second);
  } catch (const Error& error) {
    fail(file.path(), ": ", error.what());
  }
}

PositionConfig trained_position_of(const Safetensors& file) {
  const ViTConfig config = config_of(file);
  std::vector<Var> parameters;
  for (const PositionParameter& p : config.position->parameters(config.position_sizes())) {
    check_shape(file, p.name, p.shape);
    parameters.emplace_back(file.read(p.name));
  }
  const auto trained = config.position->as_trained(parameters);
  return trained ? PositionConfig(trained) : config.position;
}

void load_weights(ViT& model, const Safetensors& file, const std::string& prefix) {
  std::set<std::string> known;
  const auto frozen = [&, checkpoint = file.metadata().contains("progress")](const std::string& name) {
    return !prefix.empty() && checkpoint && !file.contains("optimizer.exp_avg." + name);
  };
  for_each_parameter(model, [&](const std::string& name, Var& p) {
    if (frozen(name)) return;
    check_shape(file, prefix + name, p.shape());
    const Tensor value = file.read(prefix + name).to(p.value().dtype());
    check_finite(value, file.path(), ": tensor '", prefix, name, "'");
    p.set_value(value);
    known.insert(name);
  });
  Pool::of(Device::cpu).release_kept();  // what the values were read into
  if (!prefix.empty()) return;
  for (const Safetensors::Entry& entry : file.entries())
    check(known.contains(entry.name) || belongs_to_training(entry.name), file.path(), ": unexpected tensor ",
          shown(entry.name), " ", entry.shape);
}

ViT load_model(const Safetensors& file, Dtype dtype, Device device) {
  return load_model(file, config_of(file), dtype, device);
}
ViT load_model(const Safetensors& file, const ViTConfig& config, Dtype dtype, Device device) {
  check_shapes(file, config);
  ViT model(config, std::nullopt, dtype, device);
  load_weights(model, file);
  return model;
}
ViT load_model(const std::string& path, Dtype dtype, Device device) {
  return load_model(Safetensors(path), dtype, device);
}

}  // namespace lookhere
