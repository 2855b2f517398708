// ParameterArena: the parameters of a module side by side in one tensor and their gradients in another, so that an
// update, or a sum over replicas, is one long loop instead of a short one per parameter.
#pragma once
#include "nn/module.h"

namespace lookhere {

// timm's rule: no decay on one-dimensional tensors (biases, norms, LayerScale), class token and positions.
bool decays(const std::string& name, const Shape& shape);

class ParameterArena {
 public:
  // Moves the values into one tensor, those with weight decay first, and gives each parameter a gradient buffer in
  // another. What lies that way already stays: all arenas of a model are the same memory, and a replica that shares its
  // weights has gradients of its own.
  explicit ParameterArena(const std::vector<Parameter>& parameters);

  struct Slot {
    Parameter parameter;
    bool decay;
    long offset;  // of the first element, a multiple of a cache line
  };
  const std::vector<Slot>& slots() const { return slots_; }  // in the module's order
  // [size], each parameter at its offset, zeros in between.
  const Tensor& weights() const { return weights_; }
  const Tensor& gradients() const { return gradients_; }
  Tensor zeros() const;                        // more of this layout
  long offset_of(const Var& parameter) const;  // of a parameter of this arena
  static Tensor part(const Tensor& flat, const Slot& slot) {
    return flat.view(slot.offset, slot.parameter.var.shape());
  }

  // Neighbours that have a gradient and are updated alike: elements [begin, end) of every tensor of this layout.
  struct Run {
    long begin, end;
    bool decay;
    double lr_scale;
  };
  std::vector<Run> runs() const;

  // Adds the gradients of a replica, which are then cleared.
  void take_gradients(ParameterArena& replica);
  void clear_gradients();

 private:
  long size() const;
  // The one tensor in which value_of(slot) lies for every slot; undefined if there is none.
  template <class F>
  Tensor common(F value_of) const;
  std::vector<Slot> slots_;
  std::vector<std::size_t> order_;  // slots by offset
  Tensor weights_, gradients_;
};

}  // namespace lookhere
