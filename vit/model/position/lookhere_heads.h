// LookHere's configuration: direction names to fields of view and slopes, head by head (arXiv 2405.13985 and the
// authors' code). Units are the code's: global_slope 2 is the paper's s_g = 1.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "kernels/attention/field_of_view.h"

namespace lookhere {

using kernels::DistancePower;
using kernels::Grid;
using kernels::LookHereHead;
using kernels::MaskFill;

struct LookHereConfig {
  std::vector<std::string> directions{"corners-triangles-none"};  // one for all layers, or one per layer
  double global_slope = 2;
  std::array<double, 2> layer_slopes{1.5, 0.5};  // first and last layer, linear in between
  DistancePower distance = DistancePower::linear;
  MaskFill fill = MaskFill::inf;
  bool round_to_bf16 = true;  // as the authors' code stores the bias
  // Training changes each layer's slope, from layer_slopes on (the paper's table 13); no value is rounded.
  bool learned_layer_slopes = false;
  bool operator==(const LookHereConfig&) const = default;
};

// The published three ("lh180", "lh90", "lh45"), "alibi" (2D-ALiBi, undirected heads only), "manhattan" (RMT's: the
// same with |dy| + |dx| as distance) and "axial" (half of the heads see their row, half their column, at no cost).
// Error for other names.
LookHereConfig lookhere_preset(const std::string& name);

// The heads of one layer. Throws Error for an unknown direction name, naming all known ones, or where the number of
// strings is neither 1 nor depth.
//
// The authors define layouts for 6, 12 and 16 heads and, with a single name, any multiple of 4. Elsewhere (3, 4, 8
// heads, or 6 heads with three names) this rule applies: round(2/3 · heads) directed heads, the rest undirected. The
// directed ones are taken in turn from the list of all directions named, and each layer goes on where the one before
// stopped, so that every direction occurs; their slope is 1/2. The undirected ones have slopes 1/4, 1/16, 1/64, 1/256
// from the front.
std::vector<LookHereHead> lookhere_heads(const LookHereConfig& config, long heads, long depth, long layer);

// Does any direction have a distance, so that slopes matter? Throws Error for an unknown direction name.
bool pays_for_distance(const LookHereConfig& config);

// The slope of a layer by those of the first and the last.
double layer_slope(const std::array<double, 2>& slopes, long depth, long layer);

// Is this layout the authors', or by the rule above?
bool has_official_layout(const std::string& directions, long heads);

// The direction of every head, e.g. {"up", "up&left", "all", "center"}, for `info` and pictures.
std::vector<std::string> head_names(const LookHereConfig& config, long heads, long depth, long layer);

}  // namespace lookhere
