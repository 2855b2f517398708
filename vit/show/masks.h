// LookHere's masks as pictures: what every head sees from one query patch, and what distance costs it there.
#pragma once
#include <string>

#include "vit/model/position/position.h"

namespace lookhere {

inline constexpr long kAllLayers = -1;

struct MaskOptions {
  long layer = 0;                          // or kAllLayers: a row of small panels for each, at most 12 of them
  long query_row = -1, query_column = -1;  // the query patch; -1: the one in the centre
};

// One panel per head; all panels share one colour scale, and their values are LookHereHead::bias. Throws Error for a
// layer or a patch that does not exist, a grid above 512×512, or more than 2^26 patches in all panels.
std::string masks_svg(const PositionConfig& position, long heads, long depth, Grid grid,
                      const MaskOptions& options = {});

}  // namespace lookhere
