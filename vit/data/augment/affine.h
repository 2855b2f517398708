// Affine maps of a picture, as Pillow's Image.transform and Image.rotate make them.
#pragma once
#include <array>
#include <optional>

#include "vit/data/augment/picture.h"
#include "vit/data/resample.h"

namespace lookhere {

// How a map reads a picture.
struct Sampling {
  std::optional<Interpolation> interpolation = {};  // between pixels; none: the nearest one
  std::vector<std::uint8_t> fill = {};              // (channels): what is outside of the image; empty: black
};

// The pixel at (x, y) becomes that at (m0 x + m1 y + m2, m3 x + m4 y + m5), in coordinates of pixels' corners.
void affine(Picture& picture, const std::array<double, 6>& m, const Sampling& sampling = {});
// Counterclockwise about the centre.
void rotate(Picture& picture, double degrees, const Sampling& sampling = {});

}  // namespace lookhere
