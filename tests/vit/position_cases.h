// What tests of single encodings share: their inputs, and a model that must be the same wherever it runs.
#pragma once
#include "tests/kernels/cases.h"
#include "tests/vit/model_cases.h"

namespace lookhere {

// An encoding's parameters as drawn by `seed`, then its constants for `grid`.
inline std::vector<Var> first_inputs(const PositionConfig& config, const PositionSizes& z, Grid grid,
                                     std::uint64_t seed = 1) {
  Init init(seed, Dtype::f64, Device::cpu);
  std::vector<Var> all;
  for (const PositionParameter& p : config->parameters(z)) all.push_back(p.init(init, p.shape));
  for (const Tensor& constant : config->constants(z, grid, Dtype::f64)) all.emplace_back(constant);
  return all;
}

// A small model of this encoding on a larger grid: on a GPU what it gives here, in bf16 about that, there with a
// gradient of every parameter.
inline void expect_same_everywhere(const ViTConfig& config) {
  ViT model(config, std::nullopt), gpu(config, std::nullopt, Dtype::f32, Device::cuda);
  fill_by_rule(model);
  std::vector<Tensor> values;
  for_each_parameter(model, [&](const std::string&, const Var& v) { values.push_back(v.value()); });
  std::size_t next = 0;
  for_each_parameter(gpu, [&](const std::string&, Var& v) { v.set_value(values[next++].to(Device::cuda)); });
  const Tensor images = rule_images({2, 2, 8, 6}, Dtype::f32);
  const Var want = model(Var(images));
  const auto values_of = [](const Var& logits) { return to_vector<float>(logits.value().to(Device::cpu)); };
  EXPECT_LT(worst_error(values_of(gpu(Var(images.to(Device::cuda)))), values_of(want)), 2e-5);
  Pass half{.dtype = Dtype::bf16};
  const Var logits = model(Var(images), half);
  EXPECT_LT(worst_error(values_of(logits), values_of(want)), 0.05);
  sum(logits).backward();
  for_each_parameter(model, [&](const std::string& name, const Var& v) {
    EXPECT_TRUE(v.grad().defined() && v.grad().dtype() == Dtype::f32) << name;
  });
}

}  // namespace lookhere
