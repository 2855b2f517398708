// Constants to JSON and back, and pixels through them.
#include "vit/model/preprocessing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "vit/data/augment.h"
#include "vit/model/json.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

std::vector<float> numbers(const nlohmann::json& json, const char* name, long channels) {
  check(json.contains(name), '\'', name, "' is missing");
  const nlohmann::json& list = json[name];
  check(list.is_array() && static_cast<long>(list.size()) == channels, '\'', name, "' must be ", channels,
        " numbers, one per channel, got ", described(list));
  std::vector<float> values;
  for (const nlohmann::json& value : list) {
    check(value.is_number(), '\'', name, "' must be numbers, got ", described(value));
    values.push_back(value.get<float>());
    check(std::isfinite(values.back()), '\'', name, "' must be finite, got ", to_text(value));
  }
  return values;
}

}  // namespace

std::string listed(const std::vector<float>& values) {
  std::string list;
  for (const float value : values) list += fmt::format("{}{}", list.empty() ? "" : ", ", value);
  return list;
}

std::string to_json(const Preprocessing& p) {
  const std::string crop = p.crop_ratio > 0 ? fmt::format(R"(, "crop_pct": {}, "interpolation": "{}")", p.crop_ratio,
                                                          name_of(p.interpolation))
                                            : "";
  const std::string rule =
      p.size_rule == SizeRule::resize ? "" : fmt::format(R"(, "size_rule": "{}")", name_of(p.size_rule));
  return fmt::format(R"({{"mean": [{}], "std": [{}]{}{}}})", listed(p.mean), listed(p.std), crop, rule);
}

const char* name_of(Interpolation interpolation) {
  return interpolation == Interpolation::bicubic ? "bicubic" : "bilinear";
}
Interpolation interpolation_from_name(const std::string& name) {
  for (const Interpolation each : {Interpolation::bilinear, Interpolation::bicubic})
    if (name == name_of(each)) return each;
  fail("interpolation: wanted bilinear or bicubic, got ", shown(name));
}

const char* name_of(SizeRule rule) {
  return rule == SizeRule::resize ? "resize" : rule == SizeRule::crop ? "crop" : "pad";
}
SizeRule size_rule_from_name(const std::string& name) {
  for (const SizeRule each : {SizeRule::resize, SizeRule::crop, SizeRule::pad})
    if (name == name_of(each)) return each;
  fail("size rule: wanted resize, crop or pad, got ", shown(name));
}

Preprocessing preprocessing_from_json(const std::string& text, long channels) {
  const nlohmann::json json = parse_json(text, "text");
  check(json.is_object(), "wanted a JSON object, got ", json.is_discarded() ? "no valid JSON" : json.type_name());
  Preprocessing p;
  p.mean = numbers(json, "mean", channels), p.std = numbers(json, "std", channels);
  for (const float std : p.std) check(std > 0, "'std' must be above 0, got ", std);
  if (json.contains("crop_pct")) {
    const nlohmann::json& crop = json["crop_pct"];
    check(crop.is_number(), "'crop_pct' must be a number, got ", described(crop));
    p.crop_ratio = crop.get<double>();
    check(p.crop_ratio > 0 && p.crop_ratio <= 16, "'crop_pct' must be in (0, 16], got ", p.crop_ratio);
  }
  if (json.contains("interpolation")) {
    const nlohmann::json& name = json["interpolation"];
    check(name.is_string(), "'interpolation' must be a text, got ", described(name));
    p.interpolation = interpolation_from_name(name.get<std::string>());
  }
  if (json.contains("size_rule")) {
    const nlohmann::json& name = json["size_rule"];
    check(name.is_string(), "'size_rule' must be a text, got ", described(name));
    p.size_rule = size_rule_from_name(name.get<std::string>());
  }
  return p;
}

std::optional<Preprocessing> preprocessing_of(const Safetensors& model, long channels) {
  const auto found = model.metadata().find("preprocessing");
  if (found == model.metadata().end()) return std::nullopt;
  try {
    return preprocessing_from_json(found->second, channels);
  } catch (const Error& error) {
    fail(model.path(), ": 'preprocessing' in the metadata: ", error.what());
  }
}

void take(Dataset& data, const Preprocessing& own) {
  data.mean = own.mean, data.std = own.std;
  if (own.crop_ratio > 0) data.crop_ratio = own.crop_ratio, data.interpolation = own.interpolation;
}

Metadata description_of(const Dataset& training) {
  Metadata metadata = class_names_metadata(training.class_names);
  metadata["preprocessing"] = to_json(Preprocessing{.mean = training.mean,
                                                    .std = training.std,
                                                    .crop_ratio = training.crop_ratio,
                                                    .interpolation = training.interpolation});
  return metadata;
}

Tensor normalised(const Tensor& images, const Preprocessing& p) {
  const auto channels = static_cast<long>(p.mean.size());
  check(images.shape().rank() == 4 && images.shape()[1] == channels, "normalised: wanted images [n, ", channels,
        ", height, width], got ", images.shape());
  Tensor result = empty(images.shape(), Dtype::f32, Device::cpu);
  const long plane = images.shape()[2] * images.shape()[3];
  const i64* from = images.host<i64>();
  float* out = result.host<float>();
  for (long i = 0; i < images.shape()[0] * channels; ++i) {
    const Normalise normalise(p.mean[i % channels], p.std[i % channels]);
    for (long k = 0; k < plane; ++k) *out++ = normalise(static_cast<float>(*from++));
  }
  return result;
}

std::vector<std::uint8_t> pixels_of(const Tensor& image, const Preprocessing& p) {
  const long channels = image.shape()[1], plane = image.numel() / channels;
  check(image.shape().rank() == 4 && image.shape()[0] == 1 && channels == std::ssize(p.mean),
        "pixels: wanted one image of ", p.mean.size(), " channels, got ", image.shape());
  std::vector<std::uint8_t> pixels;
  pixels.reserve(image.numel());
  for (long i = 0; i < image.numel(); ++i) {
    const float value = image.host<float>()[i] * p.std[i / plane] + p.mean[i / plane];
    pixels.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0F, 1.0F))));
  }
  return pixels;
}

}  // namespace lookhere
