// The list of encodings, and what finds one in it.
#include <algorithm>

#include "tensor/text.h"
#include "vit/model/json.h"
#include "vit/model/position/types.h"

namespace lookhere {

const std::vector<PositionType>& position_types() {
  static const std::vector<PositionType> all{lookhere_type(), learned_type(),    none_type(),    sincos_type(),
                                             rope_type(),     factorized_type(), fourier_type(), rpe_type(),
                                             gpsa_type(),     rope_mixed_type(), fire_type(),    window_type(),
                                             pape_type(),     pape_ri_type()};
  return all;
}

namespace {

// Does a value say something? A number that is negative where it need not be says: as it is.
bool is_set(const PositionOption& option, const PositionValue& value) {
  const double* number = std::get_if<double>(&value);
  return number && std::get<double>(option.unset) < 0 ? *number >= 0 : value != option.unset;
}

// `name`: what the user calls the encoding.
PositionConfig changed(const std::shared_ptr<PositionEncoding>& encoding, const PositionType& type,
                       const PositionOptions& options, const std::string& name) {
  const auto& types = position_types();
  options.visit([&](const PositionOption& option, const PositionValue& value) {
    if (!is_set(option, value)) return;
    const auto has = [&](const PositionType& t) {
      return std::ranges::find(t.options, std::string_view(option.name), &PositionOption::name) != t.options.end();
    };
    std::vector<std::string> owners;
    for (const PositionType& t : types)
      if (has(t)) owners.insert(owners.end(), t.names.begin(), t.names.end());
    check(has(type), "--", option.name, " belongs to --position ", joined(owners), ", not to ", name);
    encoding->set(option.name, value);
  });
  return PositionConfig(encoding);
}

}  // namespace

std::string position_help() {
  std::vector<std::string> all;
  for (const PositionType& type : position_types()) all.push_back(type.help);
  return joined(all);
}

PositionConfig position_preset(const std::string& name, const PositionOptions& options) {
  const auto& types = position_types();
  const auto type = std::ranges::find_if(
      types, [&](const PositionType& t) { return std::ranges::find(t.names, name) != t.names.end(); });
  check(type != types.end(), "position: wanted one of ", position_help(), ", got ", shown(name));
  return changed(type->make(name), *type, options, name);
}
PositionConfig with_options(const PositionConfig& config, const PositionOptions& options) {
  const nlohmann::json json = config->to_json();
  const auto& type = *std::ranges::find(position_types(), json["type"].get<std::string>(), &PositionType::json_type);
  return changed(type.from_json(json), type, options, type.json_type);
}

PositionConfig position_from_json(const nlohmann::json& json) {
  const std::string name = text_of(field(json, "type"), "type");
  std::vector<std::string> known;
  for (const PositionType& type : position_types()) {
    if (type.json_type == name) return PositionConfig(type.from_json(json));
    known.push_back(type.json_type);
  }
  fail("position type: wanted one of ", joined(known), ", got ", shown(name));
}
nlohmann::json to_json(const PositionConfig& config) { return config->to_json(); }

PositionConfig::PositionConfig() : PositionConfig(position_preset("lookhere")) {}
bool PositionConfig::operator==(const PositionConfig& other) const {
  return encoding_ == other.encoding_ || encoding_->to_json() == other.encoding_->to_json();
}

PositionOptions::PositionOptions() {
  const auto known = [&](const char* name) {
    return std::ranges::any_of(settings_, [&](const Setting& s) { return std::string_view(s.option->name) == name; });
  };
  for (const PositionType& type : position_types())
    for (const PositionOption& option : type.options)
      if (!known(option.name)) settings_.push_back({&option, option.unset});
}
PositionValue& PositionOptions::operator[](std::string_view name) {
  const auto found =
      std::ranges::find_if(settings_, [&](const Setting& setting) { return setting.option->name == name; });
  check(found != settings_.end(), "position: there is no option ", shown(name));
  return found->value;
}

// -- what an encoding does that has not said otherwise: nothing
// ---------------------------------------------------------
Var PositionEncoding::embed(const PositionSizes&, std::span<const Var>, Grid, Dtype) const { return {}; }
Rotation PositionEncoding::rotate(const PositionSizes&, Grid, Dtype) const { return {}; }
std::vector<NamedHead> PositionEncoding::bias(const PositionSizes&, long) const { return {}; }
Var PositionEncoding::table(const PositionSizes&, std::span<const Var>, Grid, long) const { return {}; }
Var PositionEncoding::prefix(const PositionSizes&, std::span<const Var>, Grid, long) const { return {}; }
PositionalAttention PositionEncoding::by_position(const PositionSizes&, std::span<const Var>, Grid, long) const {
  return {};
}
Var PositionEncoding::angles(const PositionSizes&, std::span<const Var>, Grid, long) const { return {}; }
std::function<QueryBias(const Var&)> PositionEncoding::by_query(const PositionSizes&, std::span<const Var>, Grid,
                                                                long) const {
  return {};
}
std::vector<Tensor> PositionEncoding::constants(const PositionSizes&, Grid, Dtype) const { return {}; }
std::vector<MovedParameter> PositionEncoding::moved_to(const PositionSizes&, std::span<const Var>, Grid) const {
  return {};
}
std::vector<PositionParameter> PositionEncoding::parameters(const PositionSizes&) const { return {}; }
void PositionEncoding::check_fits(const PositionSizes&) const {}
void PositionEncoding::set(std::string_view, const PositionValue&) {}
HeadsInWords PositionEncoding::in_words(const PositionSizes&, long) const { return {}; }
std::shared_ptr<const PositionEncoding> PositionEncoding::as_trained(std::span<const Var>) const { return nullptr; }

}  // namespace lookhere
