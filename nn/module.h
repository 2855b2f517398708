// Modules are plain structs with visit(f): f(name, child) for each parameter (a Var) or sub-module, in timm's order.
#pragma once
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "autograd/var.h"
#include "tensor/random.h"

namespace lookhere {

// Calls f(name, Var&) for every parameter, named as in timm: "blocks.0.attn.qkv.weight". Undefined ones are left out.
template <class Child, class F>
void visit_parameters(Child& child, const std::string& name, F& f) {
  const std::string prefix = name.empty() ? "" : name + ".";
  if constexpr (std::is_same_v<std::remove_const_t<Child>, Var>) {
    if (child.defined()) f(name, child);
  } else if constexpr (requires { child.visit(f); }) {
    child.visit([&](const char* part, auto& next) { visit_parameters(next, prefix + part, f); });
  } else {
    for (std::size_t i = 0; i < child.size(); ++i) visit_parameters(child[i], prefix + std::to_string(i), f);
  }
}
template <class Module, class F>
void for_each_parameter(Module& module, F f) {
  visit_parameters(module, "", f);
}

struct Parameter {
  std::string name;
  Var var;
  double lr_scale = 1;  // its learning rate by the optimizer's
};
// Those that have a gradient: a frozen one is no optimizer's.
template <class Module>
std::vector<Parameter> parameters_of(Module& module) {
  std::vector<Parameter> all;
  for_each_parameter(module, [&](const std::string& name, Var& var) {
    if (var.requires_grad()) all.push_back({name, var});
  });
  return all;
}

// Makes initialised parameters; each draws from its own stream. Without a seed their values are left open, for a file
// to fill in. Values are drawn on the host and moved to the device.
class Init {
 public:
  Init(std::optional<std::uint64_t> seed, Dtype dtype, Device device, double std = 0.02)
      : seed_(seed), dtype_(dtype), device_(device), std_(std) {}
  Dtype dtype() const { return dtype_; }
  Device device() const { return device_; }
  Var truncated_normal(const Shape& shape) {
    return draw(shape, [std = std_](Rng& rng) { return rng.truncated_normal(std); });
  }
  Var normal(const Shape& shape, double std) {
    return draw(shape, [std](Rng& rng) { return std * rng.normal(); });
  }
  Var uniform(const Shape& shape, double bound) {
    return draw(shape, [bound](Rng& rng) { return (2.0 * rng.uniform() - 1) * bound; });
  }
  Var constant(const Shape& shape, double value) { return Var(full(shape, value, dtype_, device_), true); }

 private:
  template <class F>
  Var draw(const Shape& shape, F f) {
    if (!seed_) return Var(empty(shape, dtype_, device_), true);
    Rng rng(*seed_, Purpose::init, next_++);
    Tensor t = empty(shape, Dtype::f64, Device::cpu);
    for (long i = 0; i < t.numel(); ++i) t.host<double>()[i] = f(rng);
    return Var(t.to(dtype_).to(device_), true);
  }
  std::optional<std::uint64_t> seed_;
  Dtype dtype_;
  Device device_;
  double std_;
  std::uint32_t next_ = 0;
};

}  // namespace lookhere
