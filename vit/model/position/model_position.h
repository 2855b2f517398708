// A model's position encoding at work: its parameters, and what follows from it for the grids that images have.
#pragma once
#include <memory>
#include <vector>

#include "vit/model/position/position.h"

namespace lookhere {

// All that does not change while images have this grid.
struct PositionOnGrid {
  Grid grid;
  Dtype dtype;    // of the residual stream
  Var embedding;  // [patches, dim], where it has no parameters; else undefined
  std::vector<Var> constants;
  Rotation rotation;
  std::vector<AttentionHeads> heads;  // by layer
};

class ModelPosition {
 public:
  ModelPosition(const PositionConfig& config, const PositionSizes& sizes, Init& init);

  // Looked up among the last grids, or made now. For several threads at once, and for copies of a model, which share
  // what has been made.
  std::shared_ptr<const PositionOnGrid> on(Grid grid, Dtype dtype) const;
  // patches [B, patches, dim] → the same, with their positions where the encoding adds them.
  Var embed(const Var& patches, const PositionOnGrid& on_grid) const;
  // What attention in this layer is given.
  LayerPosition in_layer(const PositionOnGrid& on_grid, long layer) const;
  // Names and values of the parameters that differ in a model made for this grid that computes there what this one
  // does.
  std::vector<std::pair<std::string, Tensor>> moved_to(const PositionOnGrid& on_grid) const;

  void visit(auto&& f) {
    for (std::size_t i = 0; i < names_.size(); ++i) f(names_[i].c_str(), parameters_[i]);
  }

 private:
  std::shared_ptr<const PositionOnGrid> make(Grid grid, Dtype dtype) const;
  std::vector<Var> inputs(const PositionOnGrid& on_grid) const;  // of the encoding's hooks

  PositionConfig config_;
  PositionSizes sizes_;
  Device device_;
  std::vector<std::string> names_;
  std::vector<Var> parameters_;
  struct Cache;
  std::shared_ptr<Cache> cache_;
};

}  // namespace lookhere
