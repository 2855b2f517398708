// One act of a warp as a strip of its 32 lanes: each lane in the colour of the bank that it wants, and in words what
// that costs.
#pragma once
#include <string>

#include "kernels/cuda/trace_page/steps.h"
#include "kernels/cuda/trace_page/svg.h"

namespace kernels::trace_page {

inline constexpr int kPageWidth = 1600, kMargin = 40, kStripHeight = 42;
// The first lane's left edge, the width of each, and where words about them begin.
inline constexpr int kLanesLeft = 440, kCell = 27, kWordsLeft = kLanesLeft + kLanes * kCell + 16;

// What acts of a kind are marked with: a symbol, and its letter.
struct Badge {
  const char *id, *letter;
};
const Badge& badge_of(Kind kind);

// "tile[0, 33, ... 1023]": what the lanes want of the array; with ", 4 each" the first elements of each.
std::string elements_in_words(const Act& act, const Array& array);
// "4-way conflict", and why: "4 words of bank 0".
std::string degree_in_words(int degree);
std::string reason_in_words(const Act& act, const Array& array);

// What strips are made of, once per page; "numbers" are those of the lanes.
void define_strips(Svg& svg);
// y: the upper end. `times`: that an exchange is made in a row.
void draw_strip(Svg& svg, const Trace& trace, const Act& act, long times, int y);
// Three rows, from y on; returns where they end.
int draw_legend(Svg& svg, int y);

}  // namespace kernels::trace_page
