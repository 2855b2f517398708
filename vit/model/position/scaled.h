// Encodings that compute with offsets of patches. Larger images have longer ones; multiplied by a number below 1 they
// are those of training again (position interpolation, Chen et al. 2023, arXiv 2306.15595).
#pragma once
#include <nlohmann/json.hpp>

#include "vit/model/json.h"
#include "vit/model/position/types.h"

namespace lookhere {

class ScaledPosition : public PositionEncoding {
 public:
  static constexpr double kLowest = 1e-3, kHighest = 1e3;

  explicit ScaledPosition(const char* type) : type_(type) {}
  nlohmann::json to_json() const override {
    nlohmann::json json{{"type", type_}};
    if (scale_ != 1) json["scale"] = scale_;
    return json;
  }
  void set(std::string_view, const PositionValue& scale) override {
    scale_ = std::get<double>(scale);
    check(scale_ >= kLowest && scale_ <= kHighest, "--position-scale: wanted ", kLowest, " to ", kHighest, ", got ",
          scale_);
  }
  std::optional<TunableNumber> tunable() const override {
    return TunableNumber{"position-scale", scale_, {0.125, 0.18, 0.25, 0.35, 0.5, 0.7, 1, 1.4}};
  }

 protected:
  double scaled(double offset) const { return scale_ * offset; }

 private:
  const char* type_;
  double scale_ = 1;
};

// Of an encoding without other settings, whose name is its "type" too.
template <class Encoding>
PositionType type_with_scale(const char* name) {
  PositionType type = type_without_settings<Encoding>(name);
  type.options = {{"position-scale",
                   0.0,
                   {0, ScaledPosition::kHighest},
                   "pape, pape-ri, fire, gpsa, rope-mixed: offsets "
                   "of patches are multiplied by it (0: 1)"}};
  type.from_json = [](const nlohmann::json& json) -> std::shared_ptr<PositionEncoding> {
    auto encoding = std::make_shared<Encoding>();
    if (const auto scale = json.find("scale"); scale != json.end())
      encoding->set("", number_in(*scale, "scale", ScaledPosition::kLowest, ScaledPosition::kHighest));
    return encoding;
  };
  return type;
}

}  // namespace lookhere
