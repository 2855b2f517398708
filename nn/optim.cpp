// The optimizer's bookkeeping; the arithmetic is kernels/adamw.
#include "nn/optim.h"

#include <algorithm>
#include <cmath>

#include "autograd/profile.h"
#include "kernels/adamw.h"
#include "kernels/pointwise.h"
#include "tensor/dispatch.h"

namespace lookhere {
namespace {

// Σ x² in f64, on the tensor's device until it is known.
double sum_of_squares(const Tensor& t) {
  const Tensor sum = empty({1}, Dtype::f64, t.device());
  dispatch(t, [&]<class T>(auto ctx) {
    kernels::sum_of_squares<T>(ctx, {.sum = sum.data<double>(), .x = t.data<T>(), .n = t.numel()});
  });
  return sum.item();
}

constexpr long kSpare = 1L << 16;  // elements: in the cache

}  // namespace

AdamW::AdamW(const std::vector<Parameter>& parameters, AdamWOptions options)
    : arena_(parameters),
      m_(arena_.zeros()),
      v_(arena_.zeros()),
      ema_(options.ema_decay > 0 ? arena_.weights().clone() : Tensor()),
      spare_(options.ema_decay > 0 ? empty({std::min(kSpare, ema_.numel())}, ema_) : Tensor()),
      options_(options) {}

double AdamW::ema_decay() const {
  const auto t = static_cast<double>(updates_);
  return std::min(options_.ema_decay, (1 + t) / (10 + t));
}

double AdamW::squared_norm() const {
  double sum = 0;
  for (const ParameterArena::Run& run : arena_.runs())
    sum += sum_of_squares(arena_.gradients().view(run.begin, {run.end - run.begin}));
  return sum;
}

std::string AdamW::first_bad_gradient() const {
  for (const ParameterArena::Slot& slot : arena_.slots()) {
    const Tensor& grad = slot.parameter.var.grad();
    if (grad.defined() && !std::isfinite(sum_of_squares(grad))) return "the gradient of " + slot.parameter.name;
  }
  return "the gradient's norm";
}

AdamW::Report AdamW::step(double learning_rate) {
  const profile::Span span("adamw", profile::Phase::forward);
  const double squares = squared_norm();
  Report report{.gradient_norm = std::sqrt(squares), .bad_tensor = {}};
  if (std::isfinite(squares)) {
    ++updates_;
    const double clip = options_.clip_norm, norm = report.gradient_norm;
    const auto t = static_cast<double>(updates_);
    for (const ParameterArena::Run& run : arena_.runs())
      dispatch(m_, [&]<class T>(auto ctx) {
        const auto at = [&](const Tensor& flat) { return flat.data<T>() + run.begin; };
        kernels::adamw<T>(ctx, {.w = at(arena_.weights()),
                                .m = at(m_),
                                .v = at(v_),
                                .ema = has_ema() ? at(ema_) : nullptr,
                                .g = at(arena_.gradients()),
                                .n = run.end - run.begin,
                                .lr = learning_rate * run.lr_scale,
                                .beta1 = options_.beta1,
                                .beta2 = options_.beta2,
                                .eps = options_.eps,
                                .decay = run.decay ? options_.weight_decay : 0,
                                .ema_decay = ema_decay(),
                                .bias1 = 1 - std::pow(options_.beta1, t),
                                .bias2 = 1 - std::pow(options_.beta2, t),
                                .gradient_scale = clip > 0 && norm > clip ? clip / norm : 1});
      });
  } else {
    report.bad_tensor = first_bad_gradient();
  }
  clear_gradients();
  return report;
}

// By content, a piece at a time: whoever shares the weights goes on sharing them.
void AdamW::swap_ema() {
  if (!has_ema()) return;
  for (long begin = 0; begin < ema_.numel(); begin += kSpare) {
    const Shape piece{std::min(kSpare, ema_.numel() - begin)};
    const Tensor average = ema_.view(begin, piece), weights = arena_.weights().view(begin, piece);
    const Tensor spare = spare_.view(0, piece);
    spare.copy_from(average), average.copy_from(weights), weights.copy_from(spare);
  }
}

// f(name, tensor) for every tensor of the state, in the parameters' order.
template <class F>
void AdamW::for_each_state(F f) const {
  for (const ParameterArena::Slot& slot : arena_.slots()) {
    f("optimizer.exp_avg." + slot.parameter.name, ParameterArena::part(m_, slot));
    f("optimizer.exp_avg_sq." + slot.parameter.name, ParameterArena::part(v_, slot));
    if (has_ema()) f("ema." + slot.parameter.name, ParameterArena::part(ema_, slot));
  }
}

std::vector<std::pair<std::string, Tensor>> AdamW::state() const {
  std::vector<std::pair<std::string, Tensor>> all;
  for_each_state([&](const std::string& name, const Tensor& t) { all.emplace_back(name, t); });
  return all;
}

void AdamW::load_state(const std::function<Tensor(const std::string&)>& f, long updates) {
  for_each_state([&](const std::string& name, const Tensor& t) {
    const Tensor saved = f(name);
    check(saved.shape() == t.shape(), name, ": wanted shape ", t.shape(), ", got ", saved.shape());
    t.copy_from(saved.to(t.dtype()));
  });
  updates_ = updates;
}

}  // namespace lookhere
