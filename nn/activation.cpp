// A line for each activation.
#include "nn/activation.h"

#include "tensor/file.h"

namespace lookhere {
namespace {

struct Named {
  const char* name;
  MlpActivation activation;
};
constexpr Named kActivations[]{
    {"gelu", {.function = Activation::gelu}},
    {"silu", {.function = Activation::silu}},
    {"gelu_tanh", {.function = Activation::gelu_tanh}},
    {"quick_gelu", {.function = Activation::quick_gelu}},
    {"swiglu", {.function = Activation::silu, .gated = true}},
};

}  // namespace

std::string mlp_activation_names() {
  std::string names;
  for (const Named& known : kActivations) names += concat(names.empty() ? "" : ", ", known.name);
  return names;
}

MlpActivation mlp_activation(const std::string& name) {
  for (const Named& known : kActivations)
    if (name == known.name) return known.activation;
  fail("activation: wanted one of ", mlp_activation_names(), ", got ", shown(name));
}

}  // namespace lookhere
