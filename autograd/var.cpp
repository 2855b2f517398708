// The graph and its engine.
#include "autograd/var.h"

#include <atomic>
#include <map>
#include <utility>

#include "kernels/pointwise.h"
#include "tensor/dispatch.h"

namespace lookhere {
namespace {

thread_local bool recording = true;
std::atomic<std::uint64_t> next_serial{0};

bool is_suffix(const Shape& suffix, const Shape& shape) {
  const int skipped = shape.rank() - suffix.rank();
  return skipped >= 0 && std::equal(suffix.begin(), suffix.end(), shape.begin() + skipped);
}

// Sums a gradient over the leading dimensions along which its input was broadcast.
Tensor sum_to_shape(const Tensor& grad, const Shape& shape, const char* op) {
  if (grad.shape() == shape) return grad;
  check(is_suffix(shape, grad.shape()), op, ": gradient of shape ", grad.shape(), " for an input of shape ", shape);
  Tensor sum = empty(shape, grad);
  dispatch(grad, [&]<class T>(auto ctx) {
    kernels::column_sum<T>(
        ctx, {.out = sum.data<T>(), .x = grad.data<T>(), .rows = grad.numel() / shape.numel(), .cols = shape.numel()});
  });
  return sum;
}

// to += grad. The first gradient is taken as it is; memory that someone else still reads is not added to.
void accumulate(Tensor& to, const Tensor& grad) {
  if (!to.defined()) {
    to = grad;
    return;
  }
  const Tensor sum = to.unique() ? to : empty_like(to);
  dispatch(to, [&]<class T>(auto ctx) {
    kernels::add<T>(
        ctx, {.y = sum.data<T>(), .a = to.data<T>(), .b = grad.data<T>(), .n = to.numel(), .period = to.numel()});
  });
  to = sum;
}

}  // namespace

struct Var::Node {
  std::uint64_t serial = next_serial++;
  const char* op = "leaf";
  Tensor value, grad;
  std::vector<Var> inputs;
  BackwardFn backward;
  bool requires_grad = false, used_up = false;

  // Chains may be long: release inputs one by one rather than by recursion.
  ~Node() {
    std::vector<Var> pending = std::move(inputs);
    while (!pending.empty()) {
      const std::shared_ptr<Node> node = std::move(pending.back().node_);
      pending.pop_back();
      if (node && node.use_count() == 1)
        for (Var& input : node->inputs) pending.push_back(std::move(input));
      if (node && node.use_count() == 1) node->inputs.clear();
    }
  }
};

Var::Var(Tensor value, bool requires_grad) : node_(std::make_shared<Node>()) {
  node_->value = std::move(value);
  node_->requires_grad = requires_grad;
}

Var Var::record(const char* op, Tensor value, std::vector<Var> inputs, BackwardFn backward) {
  Var result(std::move(value));
  result.node_->op = op;
  if (!recording) return result;
  for (const Var& input : inputs) result.node_->requires_grad |= input.requires_grad();
  if (!result.node_->requires_grad) return result;
  result.node_->inputs = std::move(inputs);
  result.node_->backward = std::move(backward);
  return result;
}

const Tensor& Var::value() const {
  check(defined(), "variable: read before it was given a value");
  return node_->value;
}
bool Var::requires_grad() const { return defined() && node_->requires_grad; }
const char* Var::op() const { return defined() ? node_->op : "undefined"; }

const Tensor& Var::grad() const { return node_->grad; }
void Var::clear_grad() { node_->grad = Tensor(); }
void Var::set_grad(Tensor grad) { node_->grad = std::move(grad); }

void Var::set_value(Tensor value) {
  check(!node_->backward, "set_value: only leaves can be given a value");
  check(value.shape() == shape(), "set_value: wanted shape ", shape(), ", got ", value.shape());
  node_->value = std::move(value);
}

void Var::backward() const {
  check(value().numel() == 1, "backward: wanted one element to differentiate, got shape ", shape());
  check(!node_->used_up, "backward: this graph has been used already");
  check(requires_grad(), "backward: nothing that leads to this value requires a gradient");
  // Highest serial first: whatever uses a value has a higher serial than the value itself.
  std::map<std::uint64_t, Var, std::greater<>> waiting;
  accumulate(node_->grad, full(shape(), 1, value().dtype()));
  waiting.emplace(node_->serial, *this);
  while (!waiting.empty()) {
    const Var var = std::move(waiting.begin()->second);
    waiting.erase(waiting.begin());
    Node& node = *var.node_;
    check(!node.used_up, "backward: the graph behind ", node.op, " has been used already");
    if (!node.backward) continue;
    Grads grads = node.backward(std::exchange(node.grad, Tensor()));
    check(grads.size() == node.inputs.size(), node.op, ": ", node.inputs.size(), " inputs but ", grads.size(),
          " gradients");
    for (std::size_t i = 0; i < grads.size(); ++i) {
      const Var& input = node.inputs[i];
      if (!input.requires_grad() || !grads[i].defined()) continue;
      accumulate(input.node_->grad, sum_to_shape(std::exchange(grads[i], Tensor()), input.shape(), node.op));
      waiting.emplace(input.node_->serial, input);
    }
    node.backward = nullptr;
    node.inputs.clear();
    node.used_up = true;
  }
}

NoGrad::NoGrad() : before_(std::exchange(recording, false)) {}
NoGrad::~NoGrad() { recording = before_; }

}  // namespace lookhere
