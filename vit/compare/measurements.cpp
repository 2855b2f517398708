// As JSON: {"made_with": TEXT, "values": [[METRIC, SIZE, VALUE], ...]}.
#include "vit/compare/measurements.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "vit/model/json.h"

namespace lookhere {

Measurements::Measurements(std::string path, std::string made_with)
    : path_(std::move(path)), made_with_(std::move(made_with)) {
  std::error_code ignored;
  if (path_.empty() || !std::filesystem::exists(path_, ignored)) return;
  const MappedFile file(path_);
  const nlohmann::json json = parse_object(file.text(), path_);
  try {
    const auto other = json.at("made_with").get<std::string>();
    check(other == made_with_, path_, ": wanted numbers of ", shown(made_with_), ", got those of ", shown(other),
          ": remove it, and they are measured anew");
    for (const nlohmann::json& row : json.at("values")) {
      const Measurement m{row.at(0).get<std::string>(), row.at(1).get<long>(), row.at(2).get<double>()};
      check(row.size() == 3 && !find(m.metric, m.size), path_, ": wanted [metric, size, value], each once, got ",
            described(row));
      all_.push_back(m);
    }
  } catch (const nlohmann::json::exception&) {
    fail(path_, ": wanted the numbers of a compared run, got something else: remove it, and they are measured anew");
  }
}

std::optional<double> Measurements::find(const std::string& metric, long size) const {
  const auto found =
      std::ranges::find_if(all_, [&](const Measurement& m) { return m.metric == metric && m.size == size; });
  return found == all_.end() ? std::nullopt : std::optional(found->value);
}

void Measurements::add(const std::vector<Measurement>& more) {
  for (const Measurement& m : more) {
    if (!std::isfinite(m.value))
      throw Error(concat("the model's ", m.metric, " at ", m.size, " px is not finite"), Exit::diverged);
    check(!find(m.metric, m.size), path_, ": has ", m.metric, " at ", m.size, " px already");
    all_.push_back(m);
  }
  if (path_.empty()) return;
  nlohmann::ordered_json values = nlohmann::ordered_json::array();
  for (const Measurement& m : all_) values.push_back({m.metric, m.size, m.value});
  const nlohmann::ordered_json json{{"made_with", made_with_}, {"values", values}};
  write_atomically(path_, [&](FileWriter& out) { out.write(to_text(json) + "\n"); });
}

}  // namespace lookhere
