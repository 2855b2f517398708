// What the tests of the model share: the authors' values, and models whose weights follow the golden file's rule.
#pragma once
#include <nlohmann/json.hpp>

#include "tests/testing.h"
#include "vit/model/position/lookhere.h"
#include "vit/model/vit.h"

namespace lookhere {

// tests/golden/lookhere.json, computed by the authors' code.
inline const nlohmann::json& golden() {
  static const auto parsed = nlohmann::json::parse(read_file("tests/golden/lookhere.json"));
  return parsed;
}

// A configuration as the golden file spells it.
inline LookHereConfig golden_config(const nlohmann::json& json) {
  nlohmann::json renamed = json;
  renamed["type"] = "lookhere";
  renamed["directions"] = json.at("head_directions");
  if (json.contains("fill_with")) renamed["fill"] = json["fill_with"];
  return lookhere_config_from_json(renamed);
}

// The golden file's random numbers: splitmix64 of (parameter, element), uniform in [-1, 1).
inline double rule_u(std::uint64_t p, std::uint64_t k) {
  std::uint64_t z = (p << 32) + k + 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  z ^= z >> 31;
  return static_cast<double>(z >> 40) / 0x1p23 - 1;
}
inline Tensor rule_images(const Shape& shape, Dtype dtype) {
  Tensor t = empty(shape, Dtype::f64);
  for (long n = 0; n < t.numel(); ++n) t.host<double>()[n] = static_cast<float>(rule_u(999, n));
  return t.to(dtype);
}

// LayerScale 0.5 + 0.1u, norm weights 1 + 0.1u, all else 0.2u, as floats; the parameters numbered as in `order`, by
// default as visited.
inline void fill_by_rule(ViT& model, std::vector<std::string> order = {}) {
  if (order.empty()) for_each_parameter(model, [&](const std::string& name, const Var&) { order.push_back(name); });
  for_each_parameter(model, [&](const std::string& name, Var& parameter) {
    const auto found = std::find(order.begin(), order.end(), name);
    ASSERT_NE(found, order.end()) << name;
    const bool gamma = name.ends_with("gamma");
    const bool norm = name.find("norm") != std::string::npos && name.ends_with("weight");
    Tensor t = empty(parameter.shape(), Dtype::f64);
    for (long k = 0; k < t.numel(); ++k) {
      const double u = rule_u(found - order.begin(), k);
      t.host<double>()[k] = static_cast<float>(gamma ? 0.5 + 0.1 * u : norm ? 1 + 0.1 * u : 0.2 * u);
    }
    parameter.set_value(t.to(parameter.value().dtype()));
  });
}

// 2×3 patches of 2×2 pixels, two layers: small enough for differences, with every part that a model can have.
inline ViTConfig small_config(const PositionConfig& position, long heads = 12) {
  return {.height = 4,
          .width = 6,
          .patch = 2,
          .channels = 2,
          .classes = 3,
          .dim = 24,
          .depth = 2,
          .heads = heads,
          .mlp_ratio = 2,
          .norm_eps = 1e-5,
          .layer_scale = true,
          .layer_scale_init = 0.5,
          .head = HeadType::mlp,
          .pool = Pooling::cls,
          .position = position};
}

}  // namespace lookhere
