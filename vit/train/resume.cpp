// Comparisons of a run's past with its present.
#include "vit/train/resume.h"

#include <map>

#include "tensor/text.h"
#include "vit/model/json.h"
#include "vit/model/weights.h"
#include "vit/train/log.h"

namespace lookhere {
namespace {

// Every option as text.
std::map<std::string, std::string> texts_of(const Recipe& recipe) {
  std::map<std::string, std::string> texts;
  Recipe(recipe).visit(
      [&](const RecipeOption& option, const auto& field) { texts[option.name] = to_text(nlohmann::json(field)); });
  return texts;
}

void require_start(const RunFolder& folder, const char* name, const std::string& start) {
  if (!folder.has(name)) return;
  const MappedFile file(folder.file(name));
  check(file.size() == 0 || file.text().starts_with(start), file.path(),
        ": a run would overwrite this file, which no run has written: move it elsewhere");
}

}  // namespace

Metadata data_hashes(const Dataset& train, const Dataset& test) {
  return {{"data.train", train.hash()}, {"data.test", test.hash()}};
}

void require_same_data(const Safetensors& checkpoint, const Dataset& train, const Dataset& test) {
  for (const auto& [key, now] : data_hashes(train, test)) {
    const auto saved = checkpoint.metadata().find(key);  // version 0.1 wrote none
    check(saved == checkpoint.metadata().end() || saved->second == now, train.name, ": the ",
          key == "data.train" ? "training" : "test", " images or labels are not those that the run of ",
          checkpoint.path(), " began with");
  }
}

void require_own_files(const RunFolder& folder, const Recipe& saved, const Recipe& now, const ViTConfig& model) {
  if (const std::string config = folder.file("config.toml"); folder.has("config.toml")) {
    Recipe written;
    update_from_toml(written, config);
    const auto edits = changed_options(saved, written);
    check(edits.empty() || changed_options(now, written).empty(), config, ": was edited (", joined(edits),
          "), but a resumed run goes by its checkpoint: add -c ", config, " to use it, or remove it");
  }
  require_start(folder, "summary.csv", "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr");
  require_start(folder, "metrics.jsonl", "{\"step\": ");
  require_start(folder, "curve.svg", "<svg ");
  if (!folder.has("best.safetensors")) return;
  const Safetensors best(folder.file("best.safetensors"));
  check(best.metadata().contains("config") && to_json(config_of(best)) == to_json(model), best.path(),
        ": a run would overwrite this file, which is not a model of this run: move it elsewhere");
}

std::vector<OptionChange> differences(const Recipe& before, const Recipe& after) {
  std::vector<OptionChange> changes;
  const auto old = texts_of(before), now = texts_of(after);
  for (const auto& [name, text] : old)
    if (now.at(name) != text) changes.push_back({.name = name, .before = text, .after = now.at(name)});
  return changes;
}

std::vector<std::string> changed_options(const Recipe& saved, const Recipe& now) {
  std::vector<std::string> lines;
  for (const auto& [name, before, after] : differences(saved, now))
    lines.push_back(concat(name, ' ', before, " -> ", after));
  return lines;
}

}  // namespace lookhere
