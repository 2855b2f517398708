// Var: a value in the graph of a computation, and reverse-mode differentiation over it.
//
// Nodes are numbered as they are created, so the numbers are a topological order: backward visits the nodes that the
// loss depends on by falling number and frees each as soon as it has been used. An operation's backward function
// *returns* one gradient per input; only the engine accumulates them, and sums a broadcast one back to its input's
// shape.
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

class Var {
 public:
  Var() = default;  // undefined
  // A leaf. Parameters pass requires_grad = true and find their gradient in grad() after backward.
  explicit Var(Tensor value, bool requires_grad = false);

  // The result of an operation: remembers how to go back unless gradients are off or no input needs one.
  static Var record(const char* op, Tensor value, std::vector<Var> inputs, BackwardFn backward);

  bool defined() const { return node_ != nullptr; }
  const Tensor& value() const;
  const Shape& shape() const { return value().shape(); }
  bool requires_grad() const;
  const char* op() const;

  // Leaves: the accumulated gradient, undefined before the first backward.
  const Tensor& grad() const;
  void clear_grad();
  void set_grad(Tensor grad);
  // Leaves only: replaces the value (loading a checkpoint); the shape stays.
  void set_value(Tensor value);

  // Differentiates this one-element Var with respect to every leaf that requires it, adding to their grad(). The graph
  // is used up: a second call is an Error.
  void backward() const;

 private:
  struct Node;
  std::shared_ptr<Node> node_;
};

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
