// How a model knows where its patches are. Each encoding is one type here and one branch in position.cpp; the other
// encodings of the paper's comparison join in the same two places.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "nn/layers.h"
#include "vit/model/lookhere.h"

namespace lookhere {

enum class PositionType { lookhere, learned, none };

struct PositionConfig {
  PositionType type = PositionType::lookhere;
  LookHereConfig lookhere;  // used by type lookhere
  bool operator==(const PositionConfig&) const = default;
};

// {"type": "lookhere", "directions": "a-b-none" or [per layer], "global_slope", "layer_slopes", "distance", "fill"},
// {"type": "learned"} or {"type": "none"}
PositionConfig position_from_json(const nlohmann::json& json);
nlohmann::json to_json(const PositionConfig& config);

// A position by its command-line name: lh180, lh90, lh45, alibi, lookhere (= lh90), learned, none.
PositionConfig position_preset(const std::string& name);

DistancePower distance_from_name(const std::string& name);  // linear, sqrt, square
MaskFill fill_from_name(const std::string& name);           // inf, zero, max

// The encoding's parameters and its two hooks in the model's forward pass.
class Position {
 public:
  Position(const PositionConfig& config, long heads, long depth, long dim, Grid grid, Init& init);
  // Added to the patch embeddings, [B, patches, D] → the same.
  Var add_to(const Var& patches, Grid grid) const;
  // What the heads of each layer see on this grid; made once per grid.
  const std::vector<AttentionHeads>& views(Grid grid, Dtype dtype);
  void visit(auto&& f) { f("pos_embed", table_); }

 private:
  PositionConfig config_;
  long heads_, depth_, head_dim_;
  Grid trained_;  // the grid of the learned table
  Var table_;     // (1, patches, dim), type learned only
  std::vector<AttentionHeads> views_;
};

}  // namespace lookhere
