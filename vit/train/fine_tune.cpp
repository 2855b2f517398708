// What goes from one model's file into another model.
#include "vit/train/fine_tune.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "tensor/text.h"
#include "vit/model/json.h"
#include "vit/model/preprocessing.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

bool is_head(const std::string& name) { return name.starts_with("head"); }

// "--dim 48 in place of 24, ..."
std::string differences(const ViTConfig& wanted, const ViTConfig& held) {
  const nlohmann::json now = parse_object(to_json(wanted), "config"), before = parse_object(to_json(held), "config");
  std::vector<std::string> all;
  for (const auto& item : now.items()) {
    // No tensor whose shape these decide gets here.
    if (item.key() == "classes" || item.key() == "image_size" || item.key() == "position") continue;
    const nlohmann::json old = before.value(item.key(), nlohmann::json());
    std::string option = item.key();
    std::ranges::replace(option, '_', '-');
    if (old != item.value())
      all.push_back(concat("--", option, " ", to_text(item.value()), " in place of ", to_text(old)));
  }
  return joined(all);
}

// The first few names, and how many more.
std::string shortened(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 4;
  const std::vector<std::string> first(names.begin(), names.begin() + std::min(kMost, names.size()));
  return names.size() <= kMost ? joined(first) : concat(joined(first), " and ", names.size() - kMost, " more");
}

std::string note_on_normalising(const Dataset& data, const Safetensors& origin) {
  const bool own = origin.metadata().contains("preprocessing");
  return concat("images are normalised with mean ", listed(data.mean), " and std ", listed(data.std),
                own ? ", as in " : ", the data's: there are none in ", origin.path());
}

}  // namespace

std::unique_ptr<const Safetensors> open_origin(const Recipe& recipe, const std::string& resume) {
  if (recipe.initial_checkpoint.empty()) return nullptr;
  return std::make_unique<const Safetensors>(resume.empty() ? recipe.initial_checkpoint : resume);
}

Dataset load_training_data(const Recipe& recipe, const Safetensors* origin) {
  Dataset data = load_training_data(recipe);
  if (!origin) return data;
  const long channels = config_of(*origin).channels;
  check(channels == data.channels, "--initial-checkpoint: the model of ", origin->path(), " wants ", channels,
        " channels, ", data.name, " has ", data.channels);
  if (auto own = preprocessing_of(*origin, channels)) {
    if (recipe.crop_pct > 0) own->crop_ratio = 0;  // the option wins
    take(data, *own);
  }
  return data;
}

std::string take_weights_of(const Safetensors& file, ViT& model) {
  ViT source = load_model(file);
  const ViTConfig &wanted = model.config(), &held = source.config();
  std::map<std::string, Tensor> unused;
  for (const auto& [name, tensor] : weights_of(source)) unused.emplace(name, tensor);
  // Tables of another encoding are not this one's even where their shapes agree, and of another grid have to be
  // resized.
  const bool same_encoding = wanted.position->to_json()["type"] == held.position->to_json()["type"];
  std::vector<std::string> of_position, resized, left_new;
  if (same_encoding && wanted.grid() != held.grid())
    for (const auto& [name, tensor] : source.moved_to(wanted.grid())) {
      unused.at(name) = tensor;
      resized.push_back(name);
    }
  for (const PositionParameter& p : wanted.position->parameters(wanted.position_sizes())) of_position.push_back(p.name);
  long taken = 0;
  for_each_parameter(model, [&](const std::string& name, Var& p) {
    const bool position = std::ranges::find(of_position, name) != of_position.end();
    const auto found = unused.find(name);
    if (found == unused.end() || (position && !same_encoding)) return left_new.push_back(name);
    const Tensor& value = found->second;
    if (value.shape() != p.shape() && (position || is_head(name))) return left_new.push_back(name);
    check(value.shape() == p.shape(), "--initial-checkpoint: tensor '", name, "' of ", file.path(), " is ",
          value.shape(), ", the options want ", p.shape(), ": ", differences(wanted, held));
    p.set_value(value);
    unused.erase(found);
    ++taken;
  });
  std::vector<std::string> left_over;
  left_over.reserve(unused.size());
  for (const auto& [name, tensor] : unused) left_over.push_back(name);
  std::string line = concat("began with ", file.path(), ": took ", taken, " tensors");
  if (!resized.empty())
    line += concat(", resized ", shortened(resized), " from ", held.grid().y, "x", held.grid().x, " to ",
                   wanted.grid().y, "x", wanted.grid().x, " patches");
  if (!left_new.empty()) line += concat("; new: ", shortened(left_new));
  if (!left_over.empty()) line += concat("; not used: ", shortened(left_over));
  if (const std::string others = differences(wanted, held); !others.empty()) line += concat("; ", others);
  return line;
}

void freeze_all_but_head(ViT& model) {
  for_each_parameter(model, [](const std::string& name, Var& p) {
    if (!is_head(name)) p = Var(p.value());
  });
}

ViT begin_model(const Recipe& recipe, const Dataset& data, const Safetensors* origin, bool new_run,
                std::vector<std::string>& notes) {
  const std::optional<ViTConfig> begun = origin ? std::optional(config_of(*origin)) : std::nullopt;
  ViT model(model_config(recipe, data, begun), static_cast<std::uint64_t>(recipe.seed), Dtype::f32, device_of(recipe));
  if (recipe.freeze && model.config().head == HeadType::linear)
    for_each_parameter(model, [](const std::string& name, Var& p) {
      if (is_head(name)) p.set_value(zeros(p.shape(), p.value()));
    });
  if (origin && new_run) notes = {take_weights_of(*origin, model), note_on_normalising(data, *origin)};
  if (recipe.freeze) freeze_all_but_head(model);
  return model;
}

std::vector<Parameter> trained_parameters(ViT& model, double decay) {
  const long depth = model.config().depth;
  const auto distance = [depth](const std::string& name) -> long {  // from the head, in layers
    for (const char* last : {"head", "fc_norm.", "attn_pool."})
      if (name.starts_with(last)) return 0;
    if (name.starts_with("norm.")) return 1;
    if (name.starts_with("blocks.")) return depth - std::stol(name.substr(7));
    return depth + 1;
  };
  std::vector<Parameter> all = parameters_of(model);
  for (Parameter& p : all) p.lr_scale = std::pow(decay, static_cast<double>(distance(p.name)));
  return all;
}

}  // namespace lookhere
