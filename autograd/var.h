// Var: a value in the graph of a computation, and reverse-mode differentiation over it.
//
// Nodes are numbered as they are created, so the numbers are a topological order: backward visits the nodes that the
// loss depends on by falling number and frees each as soon as it has been used. An operation's backward function
// *returns* one gradient per input; the engine accumulates them, and sums a broadcast one back to its input's shape.
// What an operation can add to memory by itself, it may (GradTarget).
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace lookhere {

// One gradient per input; an undefined Tensor where there is none.
using Grads = std::vector<Tensor>;
using BackwardFn = std::function<Grads(const Tensor& dy)>;

// Where the gradient of one input is collected. An operation may put its part there and return that tensor; the engine
// then has nothing left to do. It may as well return another, which the engine adds.
struct GradTarget {
  Tensor tensor;            // of the input's shape; undefined: there is nothing to add to, return a new one
  bool accumulate = false;  // the tensor holds a gradient to add to, else anything: overwrite it

  // Memory for a gradient: for an operation that can add (it must, if accumulate), and for one that only overwrites.
  Tensor to_add(const Tensor& like) const { return tensor.defined() ? tensor : empty_like(like); }
  Tensor to_overwrite(const Tensor& like) const { return accumulate ? empty_like(like) : to_add(like); }
};
using GradTargets = std::vector<GradTarget>;  // one per input
// Told of a leaf as soon as backward has all of its gradient.
class Var;
using LeafFn = std::function<void(const Var& leaf)>;
using BackwardIntoFn = std::function<Grads(const Tensor& dy, const GradTargets& into)>;

class Var {
 public:
  Var() = default;  // undefined
  // A leaf. Parameters pass requires_grad = true and find their gradient in grad() after backward.
  explicit Var(Tensor value, bool requires_grad = false);

  // The result of an operation: remembers how to go back unless gradients are off or no input needs one.
  static Var record(const char* op, Tensor value, std::vector<Var> inputs, BackwardFn backward);
  static Var record(const char* op, Tensor value, std::vector<Var> inputs, BackwardIntoFn backward);

  bool defined() const { return node_ != nullptr; }
  const Tensor& value() const;
  const Shape& shape() const { return value().shape(); }
  bool requires_grad() const;
  const char* op() const;

  // Leaves: the accumulated gradient, undefined before the first backward and once cleared.
  const Tensor& grad() const;
  void clear_grad();
  void set_grad(const Tensor& grad);
  // Leaves only: from now on gradients are collected in this memory, which grad() then is. What it holds does not
  // matter: it is overwritten by the first gradient, also after clear_grad().
  void set_grad_buffer(Tensor buffer);
  const Tensor& grad_buffer() const;
  // Leaves only: copies the values of a tensor of this shape and dtype. The memory stays, and whoever shares it sees
  // them.
  void set_value(const Tensor& value);
  // Leaves only: moves the value to this memory.
  void move_value(const Tensor& memory);

  // Differentiates this one-element Var with respect to every leaf that requires it, adding to their grad(). The graph
  // is used up: a second call is an Error. Whoever wants to use gradients while others are computed says `ready`.
  void backward(const LeafFn& ready = {}) const;

 private:
  struct Node;
  class LeafCounts;
  std::shared_ptr<Node> node_;
};

// Do operations on this thread record how to go back?
bool recording_gradients();
// While one lives, operations on this thread record nothing: evaluation needs no graph.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

}  // namespace lookhere
