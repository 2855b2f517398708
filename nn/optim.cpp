// The optimizer's bookkeeping; the arithmetic is kernels/adamw.
#include "nn/optim.h"

#include <cmath>

#include "kernels/adamw.h"
#include "kernels/pointwise.h"
#include "tensor/dispatch.h"

namespace lookhere {

bool decays(const std::string& name, const Shape& shape) {
  return shape.rank() > 1 && name != "cls_token" && name.find("pos_embed") == std::string::npos;
}

AdamW::AdamW(const std::vector<Parameter>& parameters, AdamWOptions options) : options_(options) {
  for (const Parameter& p : parameters) {
    const Tensor& w = p.var.value();
    slots_.push_back({.parameter = p,
                      .m = zeros_like(w),
                      .v = zeros_like(w),
                      .ema = has_ema() ? w.clone() : Tensor(),
                      .decay = decays(p.name, w.shape())});
  }
}

double AdamW::ema_decay() const {
  const auto t = static_cast<double>(updates_);
  return std::min(options_.ema_decay, (1 + t) / (10 + t));
}

void AdamW::clear_gradients() {
  for (Slot& slot : slots_) slot.parameter.var.clear_grad();
}

AdamW::Report AdamW::step(double learning_rate) {
  Report report;
  double squares = 0;
  for (const Slot& slot : slots_) {
    const Tensor& grad = slot.parameter.var.grad();
    if (!grad.defined()) continue;
    double part = 0;
    dispatch(grad, [&]<class T>(auto ctx) {
      kernels::sum_of_squares<T>(ctx, {.sum = &part, .x = grad.data<T>(), .n = grad.numel()});
    });
    if (!std::isfinite(part) && report.bad_tensor.empty()) report.bad_tensor = slot.parameter.name;
    squares += part;
  }
  report.gradient_norm = std::sqrt(squares);
  if (report.bad_tensor.empty()) {
    ++updates_;
    const double clip = options_.clip_norm, norm = report.gradient_norm;
    const auto t = static_cast<double>(updates_);
    for (Slot& slot : slots_) {
      const Tensor& grad = slot.parameter.var.grad();
      if (!grad.defined()) continue;
      dispatch(grad, [&]<class T>(auto ctx) {
        kernels::adamw<T>(ctx, {.w = slot.parameter.var.value().data<T>(),
                                .m = slot.m.data<T>(),
                                .v = slot.v.data<T>(),
                                .ema = slot.ema.defined() ? slot.ema.data<T>() : nullptr,
                                .g = grad.data<T>(),
                                .n = grad.numel(),
                                .lr = learning_rate,
                                .beta1 = options_.beta1,
                                .beta2 = options_.beta2,
                                .eps = options_.eps,
                                .decay = slot.decay ? options_.weight_decay : 0,
                                .ema_decay = ema_decay(),
                                .bias1 = 1 - std::pow(options_.beta1, t),
                                .bias2 = 1 - std::pow(options_.beta2, t),
                                .gradient_scale = clip > 0 && norm > clip ? clip / norm : 1});
      });
    }
  }
  clear_gradients();
  return report;
}

void AdamW::swap_ema() {
  for (Slot& slot : slots_) {
    if (!slot.ema.defined()) continue;
    const Tensor weights = slot.parameter.var.value();
    slot.parameter.var.set_value(slot.ema);
    slot.ema = weights;
  }
}

// f(name, Tensor&) for every tensor of the state.
template <class F>
void AdamW::for_each_state(F f) {
  for (Slot& slot : slots_) {
    f("optimizer.exp_avg." + slot.parameter.name, slot.m);
    f("optimizer.exp_avg_sq." + slot.parameter.name, slot.v);
    if (slot.ema.defined()) f("ema." + slot.parameter.name, slot.ema);
  }
}

std::vector<std::pair<std::string, Tensor>> AdamW::state() const {
  std::vector<std::pair<std::string, Tensor>> all;
  const_cast<AdamW*>(this)->for_each_state(
      [&](const std::string& name, const Tensor& t) { all.emplace_back(name, t); });
  return all;
}

void AdamW::load_state(const std::function<Tensor(const std::string&)>& f, long updates) {
  for_each_state([&](const std::string& name, Tensor& t) {
    const Tensor saved = f(name);
    check(saved.shape() == t.shape(), name, ": wanted shape ", t.shape(), ", got ", saved.shape());
    t = saved.to(t.dtype());
  });
  updates_ = updates;
}

}  // namespace lookhere
