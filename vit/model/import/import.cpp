// From another program's file to a model with values.
#include "vit/model/import/import.h"

#include <set>

#include "tensor/file.h"
#include "tensor/finite.h"
#include "tensor/pool.h"
#include "vit/model/import/config.h"
#include "vit/model/import/names.h"
#include "vit/model/json.h"
#include "vit/model/preprocessing.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

// Reads tensors of a file, remembering which.
class Weights {
 public:
  Weights(const ForeignFile& file, const ViTConfig& config, long prefix)
      : file_(file), config_(config), prefix_(prefix) {
    if (file.tensors.contains("pos_embed")) positions_ = read("pos_embed");
  }

  // The value of our parameter `name`. Tokens before the patches have no position of their own here: what the file adds
  // to them at every pass is added once, which gives the same bits.
  Tensor of(const std::string& name) {
    if (name == "pos_embed") return rows(prefix_, positions_.shape()[1]);
    const long first = name == "dist_token" ? 1 : name == "reg_token" ? config_.prefix() - config_.registers : 0;
    const bool dist = name == "reg_token" && !file_.tensors.contains(name);  // a distillation token without a head
    Tensor value = read(dist ? "dist_token" : name);
    const bool token = name == "cls_token" || name == "dist_token" || name == "reg_token";
    if (!token || first >= prefix_) return value;
    check(value.shape().rank() == 3 && first + value.shape()[1] <= prefix_ && value.shape()[2] == config_.dim,
          file_.path, ": tensor ", shown(name), " and pos_embed do not fit together: ", value.shape(), " and ",
          positions_.shape());
    value = value.clone();
    const Tensor added = rows(first, first + value.shape()[1]);
    for (long i = 0; i < value.numel(); ++i) value.host<float>()[i] += added.host<float>()[i];
    return value;
  }
  void expect_all_read() const {
    for (const auto& [name, tensor] : file_.tensors)
      check(read_.contains(name), file_.path, ": unexpected tensor ", shown(name), " ", tensor.shape,
            ": this model has something that none here can have");
  }

 private:
  Tensor read(const std::string& name) {
    const auto found = file_.tensors.find(name);
    check(found != file_.tensors.end(), file_.path, ": tensor ", shown(name), " is missing");
    read_.insert(name);
    return found->second.read().to(Dtype::f32);
  }
  Tensor rows(long begin, long end) const {
    const Tensor all = positions_.reshape({positions_.shape()[1], config_.dim});
    return all.rows(begin, end).reshape({1, end - begin, config_.dim});
  }
  const ForeignFile& file_;
  const ViTConfig& config_;
  long prefix_;
  Tensor positions_;
  std::set<std::string> read_;
};

Metadata metadata_of(const ForeignFile& file, const Facts& facts, const ViTConfig& config) {
  Metadata metadata;
  if (!facts.class_names.empty()) {
    check(std::ssize(facts.class_names) == config.classes, file.path, ": ", config.classes, " classes, but ",
          facts.class_names.size(), " names of classes");
    metadata = class_names_metadata(facts.class_names);
  }
  if (facts.mean.empty() && facts.std.empty()) return metadata;
  for (const auto* values : {&facts.mean, &facts.std})
    check(std::ssize(*values) == config.channels, "--mean and --std: wanted ", config.channels,
          " numbers each, one per channel, got ", values->size());
  for (const double std : facts.std) check(std > 0, "--std: wanted numbers above 0, got ", std);
  auto json = nlohmann::ordered_json::object();
  json["mean"] = facts.mean, json["std"] = facts.std;
  if (facts.crop_pct > 0) json["crop_pct"] = facts.crop_pct;
  if (!facts.interpolation.empty()) json["interpolation"] = name_of(interpolation_from_name(facts.interpolation));
  metadata["preprocessing"] = to_text(json);
  return metadata;
}

}  // namespace

Imported import_model(const std::string& path, const Facts& given, const std::string& timm_name, bool averaged) {
  ForeignFile file = open_foreign(path, averaged);
  rename_to_timm(file);
  const Facts facts = facts_of(file, given, timm_name);
  const auto [config, prefix] = infer_config(file, facts);
  const Metadata metadata = metadata_of(file, facts, config);
  Imported imported{.model = ViT(config, std::nullopt),
                    .metadata = metadata,
                    .format = file.format,
                    .from = facts.from,
                    .left_out = file.left_out};
  Weights weights(file, config, prefix);
  for_each_parameter(imported.model, [&](const std::string& name, Var& parameter) {
    const Tensor value = weights.of(name);
    check(value.shape() == parameter.shape(), path, ": tensor ", shown(name), ": wanted ", parameter.shape(), ", got ",
          value.shape());
    check_finite(value, path, ": tensor ", shown(name));
    parameter.set_value(value);
  });
  weights.expect_all_read();
  Pool::of(Device::cpu).release_kept();  // what the values were read into
  return imported;
}

}  // namespace lookhere
