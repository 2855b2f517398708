// One image of the drawn set "shapes": a head (a ball) and a tail (a square, ring or triangle) somewhere on a noisy
// background. Its label is the compass direction in which the tail lies from the head.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

namespace lookhere {

// All that one image shows, in coordinates from 0 to 1 (x to the east, y to the south), so that it can be drawn at any
// resolution and stays the same image.
struct Scene {
  using Colour = std::array<float, 3>;  // red, green, blue in [0, 1]
  enum class Kind { disc, square, ring, triangle };
  struct Part {
    Kind kind;
    float x, y, radius, angle;
    Colour colour;
  };
  struct Stroke {  // a line between two points: clutter
    float x0, y0, x1, y1, half_width, opacity;
    Colour colour;
  };
  static constexpr long kLabels = 8;
  static constexpr int kCoarse = 5, kFine = 17;  // points of noise per side
  long label;                                    // 0 north, 1 north-east, ... clockwise
  Part head, tail;
  std::array<Stroke, 3> strokes;
  std::array<Colour, 2> background;                       // from one end of the gradient to the other
  float gradient_x, gradient_y;                           // its direction, of length 1
  std::array<float, kCoarse * kCoarse * 3> coarse_noise;  // colour, in [-1, 1) times its strength
  std::array<float, kFine * kFine> fine_noise;            // brightness
};

// The image depends on its arguments alone. Labels take turns, so every split is balanced to within one image.
Scene make_scene(std::uint64_t seed, bool train, long index);
// pixels (3, size, size), antialiased.
void draw_scene(const Scene& scene, long size, std::uint8_t* pixels);
// (size, size): 1 where the head covers half of a pixel or more, 2 where the tail does, else 0.
std::vector<std::uint8_t> mask_of(const Scene& scene, long size);

}  // namespace lookhere
