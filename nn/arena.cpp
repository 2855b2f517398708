// Where each parameter lies, and the loops over all of them.
#include "nn/arena.h"

#include <algorithm>

#include "tensor/pool.h"
#include "tensor/sum.h"

namespace lookhere {

bool decays(const std::string& name, const Shape& shape) {
  constexpr const char* kPositions[] = {"pos_embed", "relative_position_bias_table", "attn.freqs"};
  return shape.rank() > 1 && !name.ends_with("_token") &&
         std::ranges::none_of(kPositions, [&](const char* each) { return name.find(each) != std::string::npos; });
}

ParameterArena::ParameterArena(const std::vector<Parameter>& parameters) {
  for (const Parameter& p : parameters)
    slots_.push_back({.parameter = p, .decay = decays(p.name, p.var.shape()), .offset = 0});
  for (const bool decay : {true, false})
    for (std::size_t k = 0; k < slots_.size(); ++k)
      if (slots_[k].decay == decay) order_.push_back(k);
  long next = 0;
  for (const std::size_t k : order_) {
    constexpr long kCacheLine = 16;  // elements of f32
    slots_[k].offset = next;
    next += (slots_[k].parameter.var.value().numel() + kCacheLine - 1) / kCacheLine * kCacheLine;
  }
  weights_ = common([](const Slot& slot) { return slot.parameter.var.value(); });
  if (!weights_.defined()) {
    weights_ = zeros();
    for (Slot& slot : slots_) slot.parameter.var.move_value(part(weights_, slot));
    Pool::of(weights_.device()).release_kept();  // the memory that they had
  }
  gradients_ = common([](const Slot& slot) { return slot.parameter.var.grad_buffer(); });
  if (!gradients_.defined()) {
    gradients_ = zeros();
    for (Slot& slot : slots_) slot.parameter.var.set_grad_buffer(part(gradients_, slot));
  }
}

long ParameterArena::size() const {
  return order_.empty() ? 0 : slots_[order_.back()].offset + slots_[order_.back()].parameter.var.value().numel();
}

Tensor ParameterArena::zeros() const {
  if (slots_.empty()) return lookhere::zeros({0}, Dtype::f32, Device::cpu);
  return lookhere::zeros({size()}, slots_[0].parameter.var.value());
}

long ParameterArena::offset_of(const Var& parameter) const {
  return (parameter.grad_buffer().raw() - gradients_.raw()) / size_of(gradients_.dtype());
}

template <class F>
Tensor ParameterArena::common(F value_of) const {
  if (order_.empty()) return {};
  const Tensor first = value_of(slots_[order_[0]]);
  for (const Slot& slot : slots_) {
    const Tensor t = value_of(slot);
    if (!t.shares_memory(first) || t.raw() != first.raw() + slot.offset * size_of(first.dtype())) return {};
  }
  return first.view(0, {size()});
}

std::vector<ParameterArena::Run> ParameterArena::runs() const {
  std::vector<Run> all;
  bool open = false;
  for (const std::size_t k : order_) {
    const Slot& slot = slots_[k];
    const long end = slot.offset + slot.parameter.var.value().numel();
    const bool has_gradient = slot.parameter.var.grad().defined();
    const double lr_scale = slot.parameter.lr_scale;
    if (has_gradient && open && all.back().decay == slot.decay && all.back().lr_scale == lr_scale)
      all.back().end = end;
    else if (has_gradient)
      all.push_back({.begin = slot.offset, .end = end, .decay = slot.decay, .lr_scale = lr_scale});
    open = has_gradient;
  }
  return all;
}

void ParameterArena::take_gradients(ParameterArena& replica) {
  // A first gradient is copied: what the buffer holds is old.
  for (std::size_t k = 0; k < slots_.size(); ++k) {
    Var &to = slots_[k].parameter.var, &from = replica.slots_[k].parameter.var;
    if (to.grad().defined() || !from.grad().defined()) continue;
    to.set_grad(from.grad());
    from.clear_grad();
  }
  for (const Run& run : replica.runs()) {
    const Tensor sum = gradients_.view(run.begin, {run.end - run.begin});
    set_sum(sum, sum, replica.gradients_.view(run.begin, sum.shape()));
  }
  replica.clear_gradients();
}

void ParameterArena::clear_gradients() {
  for (Slot& slot : slots_) slot.parameter.var.clear_grad();
}

}  // namespace lookhere
