// One head's mask seen from one query patch, as a picture, and the legend of such pictures.
#pragma once
#include <string>
#include <vector>

#include "kernels/attention/field_of_view.h"
#include "vit/show/svg.h"

namespace lookhere {

// What each key patch costs the query patch: minus LookHereHead::bias, (patches); infinity where the head does not see.
std::vector<double> penalties(const kernels::LookHereHead& head, kernels::Grid grid, long query_row, long query_column);

// viridis from dark (the largest penalty) to bright (none), as "#rrggbb".
std::string penalty_color(double penalty, double largest);

// A PNG of the grid's cells, for sides of so many units each, in the penalties' colours.
std::string colored_png(const std::vector<double>& penalties, kernels::Grid grid, double cell, double largest);
// What marks unseen patches and the query patch, the grid's corner at the origin.
void draw_unseen(Svg& svg, const std::vector<double>& penalties, kernels::Grid grid, double cell);
void draw_query(Svg& svg, double center_x, double center_y, double cell);

// What panels refer to; once per picture.
void define_mask_patterns(Svg& svg);
// The patch grid with its corner at the origin: seen patches in the penalty's colour, and its number where there is
// room, unseen ones hatched, the query in a frame.
void draw_mask(Svg& svg, const std::vector<double>& penalties, kernels::Grid grid, long query_row, long query_column,
               double cell, double largest);
// The colour bar and what marks the query and unseen patches, 260 wide and 440 high.
void draw_mask_legend(Svg& svg, double largest);

}  // namespace lookhere
