// The graph and its engine.
#include "autograd/var.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "autograd/profile.h"
#include "kernels/pointwise.h"
#include "tensor/dispatch.h"
#include "tensor/sum.h"

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
  Tensor sum = empty(shape, acc_of(grad.dtype()), grad.device());
  dispatch_mixed(grad, [&]<class T>(auto ctx) {
    kernels::column_sum<T>(ctx, {.out = sum.data<kernels::Acc<T>>(),
                                 .x = grad.data<T>(),
                                 .rows = grad.numel() / shape.numel(),
                                 .cols = shape.numel()});
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
  set_sum(sum, to, grad);
  to = sum;
}

}  // namespace

struct Var::Node {
  std::uint64_t serial = next_serial++;
  const char* op = "leaf";
  Tensor value, grad;
  Tensor buffer;  // leaves: if defined, the memory of grad
  std::vector<Var> inputs;
  BackwardIntoFn backward;
  bool requires_grad = false, used_up = false;

  GradTarget target() const {
    if (buffer.defined()) return {.tensor = buffer, .accumulate = grad.defined()};
    if (grad.defined() && grad.unique()) return {.tensor = grad, .accumulate = true};
    return {};
  }
  // Where each input's gradient may be added. Of an input used twice only the first one may: the second would take what
  // the first has put there for what was there before.
  GradTargets targets() const {
    GradTargets all(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Node* node = inputs[i].node_.get();
      const bool seen = std::any_of(inputs.begin(), inputs.begin() + static_cast<long>(i),
                                    [&](const Var& input) { return input.node_.get() == node; });
      if (inputs[i].requires_grad() && !seen) all[i] = node->target();
    }
    return all;
  }
  // in_place: the operation has put the gradient into target().
  void collect(const Tensor& gradient, bool in_place) {
    if (!buffer.defined()) {
      if (!in_place) accumulate(grad, gradient);
      return;
    }
    if (!in_place && grad.defined())
      set_sum(buffer, buffer, gradient);
    else if (!in_place)
      buffer.copy_from(gradient);
    grad = buffer;
  }

  // Chains may be long: nodes that only this one holds are released one by one rather than by recursion. They wait in
  // a list of their own, since a destructor must not need memory.
  std::shared_ptr<Node> next;
  ~Node() {
    std::shared_ptr<Node> waiting;
    release_inputs(waiting);
    while (waiting) {
      const std::shared_ptr<Node> node = std::exchange(waiting, std::move(waiting->next));
      node->release_inputs(waiting);
    }
  }
  void release_inputs(std::shared_ptr<Node>& waiting) noexcept {
    for (Var& input : inputs) {
      const std::shared_ptr<Node> node = std::move(input.node_);
      // The last of several handles finds it alone.
      if (!node || node.use_count() > 1) continue;
      node->next = std::move(waiting);
      waiting = node;
    }
    inputs.clear();
  }
};

Var::Var(Tensor value, bool requires_grad) : node_(std::make_shared<Node>()) {
  node_->value = std::move(value);
  node_->requires_grad = requires_grad;
}

Var Var::record(const char* op, Tensor value, std::vector<Var> inputs, BackwardFn backward) {
  return record(op, std::move(value), std::move(inputs),
                [f = std::move(backward)](const Tensor& dy, const GradTargets&) { return f(dy); });
}

Var Var::record(const char* op, Tensor value, std::vector<Var> inputs, BackwardIntoFn backward) {
  profile::end_forward(op);
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
void Var::set_grad(const Tensor& grad) {
  if (node_->buffer.defined()) node_->buffer.copy_from(grad);
  node_->grad = node_->buffer.defined() ? node_->buffer : grad;
}

const Tensor& Var::grad_buffer() const { return node_->buffer; }
void Var::set_grad_buffer(Tensor buffer) {
  check(!node_->backward, "set_grad_buffer: only leaves keep their gradient");
  check(buffer.shape() == shape(), "set_grad_buffer: wanted shape ", shape(), ", got ", buffer.shape());
  node_->buffer = std::move(buffer);
  if (node_->grad.defined()) set_grad(node_->grad);
}

void Var::set_value(const Tensor& value) {
  check(!node_->backward, "set_value: only leaves can be given a value");
  check(value.shape() == shape() && value.dtype() == node_->value.dtype(), "set_value: wanted ", node_->value.dtype(),
        " ", shape(), ", got ", value.dtype(), " ", value.shape());
  node_->value.copy_from(value);
}
void Var::move_value(const Tensor& memory) {
  check(!node_->backward, "move_value: only leaves have memory of their own");
  memory.copy_from(node_->value);
  node_->value = memory;
}

// How many gradients each leaf has yet to get. An input that an operation names twice counts twice.
class Var::LeafCounts {
 public:
  LeafCounts(const Var& root, const LeafFn& ready) : ready_(ready) {
    if (!ready) return;
    std::vector<const Node*> next{root.node_.get()};
    std::unordered_set<const Node*> seen{next.back()};
    while (!next.empty()) {
      const Node* node = next.back();
      next.pop_back();
      for (const Var& input : node->inputs) {
        if (!input.requires_grad()) continue;
        const Node* from = input.node_.get();
        if (!from->backward)
          ++left_[from];
        else if (seen.insert(from).second)
          next.push_back(from);
      }
    }
  }
  void got(const Var& input) {
    const auto found = left_.find(input.node_.get());
    if (found != left_.end() && --found->second == 0) ready_(input);
  }

 private:
  const LeafFn& ready_;
  std::unordered_map<const Node*, long> left_;
};

void Var::backward(const LeafFn& ready) const {
  check(value().numel() == 1, "backward: wanted one element to differentiate, got shape ", shape());
  check(!node_->used_up, "backward: this graph has been used already");
  check(requires_grad(), "backward: nothing that leads to this value requires a gradient");
  // Highest serial first: whatever uses a value has a higher serial than the value itself.
  std::map<std::uint64_t, Var, std::greater<>> waiting;
  LeafCounts leaves(*this, ready);
  node_->collect(full(shape(), 1, value()), false);
  waiting.emplace(node_->serial, *this);
  while (!waiting.empty()) {
    const Var var = std::move(waiting.begin()->second);
    waiting.erase(waiting.begin());
    Node& node = *var.node_;
    check(!node.used_up, "backward: the graph behind ", node.op, " has been used already");
    if (!node.backward) continue;
    const profile::Span span(node.op, profile::Phase::backward);
    GradTargets into = node.targets();
    Grads grads = node.backward(std::exchange(node.grad, Tensor()), into);
    check(grads.size() == node.inputs.size(), node.op, ": ", node.inputs.size(), " inputs but ", grads.size(),
          " gradients");
    for (std::size_t i = 0; i < grads.size(); ++i) {
      const Var& input = node.inputs[i];
      if (!input.requires_grad()) continue;
      if (!grads[i].defined()) {
        leaves.got(input);
        continue;
      }
      const Tensor gradient = sum_to_shape(std::exchange(grads[i], Tensor()), input.shape(), node.op);
      const bool in_place = into[i].tensor.defined() && gradient.raw() == into[i].tensor.raw();
      into[i] = {};  // the engine adds only to memory that no one else holds
      input.node_->collect(gradient, in_place);
      waiting.emplace(input.node_->serial, input);
      leaves.got(input);
    }
    node.backward = nullptr;
    node.inputs.clear();
    node.used_up = true;
  }
  profile::begin_forward();
}

bool recording_gradients() { return recording; }
NoGrad::NoGrad() : before_(std::exchange(recording, false)) {}
NoGrad::~NoGrad() { recording = before_; }

}  // namespace lookhere
