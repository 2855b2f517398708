// One image of "glyphs": a letter or digit somewhere on plain paper, and a smaller one beside it that does not count.
#pragma once
#include <array>

#include "vit/data/glyphs/fonts.h"

namespace lookhere {

// EMNIST-balanced's classes (Cohen et al. 2017: a letter's two cases are one class unless they differ in shape as A and
// a do) but for two in which printed characters are not told apart without a word around them: 0 is O, and l is I.
// A class is called by the first of its characters here.
inline constexpr std::array kGlyphClasses{"1",  "2", "3", "4",  "5", "6",   "7",  "8",  "9",  "A",  "B",  "Cc",
                                          "D",  "E", "F", "G",  "H", "Iil", "Jj", "Kk", "L",  "Mm", "N",  "Oo0",
                                          "Pp", "Q", "R", "Ss", "T", "Uu",  "Vv", "Ww", "Xx", "Yy", "Zz", "a",
                                          "b",  "d", "e", "f",  "g", "h",   "n",  "q",  "r",  "t"};

// All that one image shows, in coordinates from 0 to 1, so that it can be drawn at any resolution and stays the same.
struct GlyphScene {
  struct Glyph {
    const Outline* outline;  // null: none
    GlyphPlace place;
    float ink;  // grey in [0, 1]
  };
  long label;
  Glyph glyph, other;
  float paper;                   // grey in the middle
  float gradient_x, gradient_y;  // what it changes by from one side to the other
};

struct Zoom {
  double low, high;
};
// The image depends on its arguments alone. Labels take turns; families are equally frequent, and so are the typefaces
// of one. The scene points into the fonts.
GlyphScene make_glyph_scene(const Fonts& fonts, const Zoom& zoom, std::uint64_t seed, bool train, long index);
// pixels (size, size), antialiased.
void draw_glyph_scene(const GlyphScene& scene, long size, Rasterizer& rasterizer, std::uint8_t* pixels);
// (size, size): 1 where the glyph covers half of a pixel or more, else 2 where the other does, else 0.
std::vector<std::uint8_t> glyph_mask(const GlyphScene& scene, long size);

}  // namespace lookhere
