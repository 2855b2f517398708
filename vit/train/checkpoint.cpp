// Checkpoints: one safetensors file, so one rename decides whether it exists.
#include "vit/train/checkpoint.h"

#include <algorithm>
#include <filesystem>

#include "tensor/finite.h"
#include "vit/model/json.h"

namespace lookhere {
namespace {

const std::string& metadata_field(const Safetensors& file, const char* name) {
  const auto found = file.metadata().find(name);
  check(found != file.metadata().end(), file.path(), ": this is a model but no checkpoint of a run ('", name,
        "' is missing in its metadata): resume from last.safetensors");
  return found->second;
}

// The root of a negative second moment would make the next update not a number.
void check_squares(const Tensor& t, const std::string& path, const std::string& name) {
  const Tensor values = t.to(Dtype::f32);
  const float* bad =
      std::find_if(values.host<float>(), values.host<float>() + values.numel(), [](float v) { return v < 0; });
  const long at = bad - values.host<float>();
  check(at == values.numel(), path, ": tensor '", name, "': wanted squares, got ", at < values.numel() ? *bad : 0,
        " at element ", at);
}

}  // namespace

void save_checkpoint(const std::string& path, ViT& model, const AdamW& optimizer, const Recipe& recipe,
                     const TrainingState& state, const Metadata& more) {
  NamedTensors tensors = weights_of(model);
  for (auto& state : optimizer.state()) tensors.push_back(std::move(state));
  auto json = nlohmann::ordered_json::object();
  TrainingState(state).visit([&](const char* name, const auto& value) { json[name] = value; });
  Metadata metadata = metadata_of(model);
  metadata.insert(more.begin(), more.end());
  metadata["recipe"] = to_json(recipe);
  metadata["progress"] = to_text(json);
  save_safetensors(path, tensors, metadata, Hashes::all);
}

Metadata judging_metadata(const Recipe& recipe) {
  const nlohmann::json all = parse_object(to_json(recipe), "recipe");
  auto json = nlohmann::ordered_json::object();
  for (const char* name : {"bce-loss", "val-split", "holdout", "class-order", "shapes-train", "shapes-test",
                           "glyphs-train", "glyphs-test", "glyphs-zoom"})
    json[name] = all.at(name);
  return {{"judged_by", to_text(json)}};
}

Recipe recipe_behind(const Safetensors& model) {
  Recipe recipe;
  for (const char* key : {"judged_by", "recipe"})
    if (const auto found = model.metadata().find(key); found != model.metadata().end())
      update_from_json(recipe, found->second);
  // The model knows its classes and their order by itself.
  if (std::error_code ignored; !std::filesystem::exists(recipe.class_map, ignored)) recipe.class_map.clear();
  return recipe;
}

Recipe recipe_of(const Safetensors& checkpoint) {
  Recipe recipe;
  update_from_json(recipe, metadata_field(checkpoint, "recipe"));
  return recipe;
}

TrainingState training_state_of(const Safetensors& checkpoint) {
  TrainingState state;
  constexpr long kMost = 1L << 52;
  try {
    nlohmann::json json = parse_object(metadata_field(checkpoint, "progress"), "progress");
    if (json.contains("step_in_epoch")) {  // version 0.1 counted updates
      const Recipe recipe = recipe_of(checkpoint);
      const long step = integer_in(json["step_in_epoch"], "step_in_epoch", 0, kMost);
      json["images_in_epoch"] = checked_mul(step, checked_mul(recipe.batch_size, recipe.grad_accum_steps));
    }
    for (const char* later : {"epoch_cross_entropy", "epoch_cross_entropies"})  // version 0.1 did not measure it
      if (!json.contains(later)) json[later] = 0;
    state.visit([&]<class T>(const char* name, T& value) {
      if constexpr (std::is_same_v<T, long>)
        value = integer_in(field(json, name), name, -1, kMost);
      else
        value = number_in(field(json, name), name, -1e300, 1e300);
    });
  } catch (const Error& error) {
    fail(checkpoint.path(), ": 'progress' in the metadata: ", error.what());
  }
  return state;
}

void restore(const Safetensors& checkpoint, ViT& model, AdamW& optimizer) {
  const ViTConfig saved = config_of(checkpoint);
  const nlohmann::json held = parse_object(to_json(saved), "config"),
                       wanted = parse_object(to_json(model.config()), "config");
  for (const auto& item : wanted.items())
    check(held.contains(item.key()) && held[item.key()] == item.value(), checkpoint.path(), ": holds a model with ",
          item.key(), " ", to_text(held.value(item.key(), nlohmann::json())), ", the options want ",
          to_text(item.value()));
  load_weights(model, checkpoint);
  const auto read = [&](const std::string& name) {
    Tensor saved = checkpoint.read(name);
    check_finite(saved, checkpoint.path(), ": tensor '", name, "'");
    if (name.starts_with("optimizer.exp_avg_sq.")) check_squares(saved, checkpoint.path(), name);
    return saved;
  };
  optimizer.load_state(read, training_state_of(checkpoint).updates);
}

std::string checkpoint_path(const std::string& run) {
  std::error_code ignored;
  return std::filesystem::is_directory(run, ignored) ? (std::filesystem::path(run) / "last.safetensors").string() : run;
}

}  // namespace lookhere
