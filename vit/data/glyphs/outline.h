// Outline: a glyph's curves apart from any font, and how they become pixels at any place, size and angle.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

struct FT_LibraryRec_;

namespace lookhere {

// Closed contours of straight lines and curves as TrueType and PostScript fonts have them. The centre of the box around
// the curves is the origin, its longer side is 1; x to the right, y upwards.
struct Outline {
  struct Point {
    double x, y;
    unsigned char tag;  // FreeType's: on the curve, or control point of which kind
  };
  std::vector<Point> points;
  std::vector<short> ends;  // index of each contour's last point
  int flags = 0;            // FreeType's: what is inside
};

// Where an outline goes, in sides of the image: x to the east, y to the south.
struct GlyphPlace {
  double x, y;   // of its centre
  double size;   // of its longer side
  double angle;  // radians, counter-clockwise
};

// Half the width and height of the box around the outline and its control points, if it were at this angle and of size
// 1: what it needs around its centre.
struct HalfBox {
  double x, y;
};
HalfBox half_box(const Outline& outline, double angle);

// FreeType's rasteriser. For one thread at a time.
class Rasterizer {
 public:
  Rasterizer();
  ~Rasterizer();
  Rasterizer(const Rasterizer&) = delete;
  Rasterizer& operator=(const Rasterizer&) = delete;
  // Which part of each pixel the outline covers, 0 to 255: (size, size), 1 <= size <= 16384. What lies outside of the
  // image is cut off. Exact to 1/64 pixel. The result is valid until the next call.
  const std::vector<std::uint8_t>& coverage(const Outline& outline, const GlyphPlace& place, long size);

 private:
  FT_LibraryRec_* library_ = nullptr;
  std::vector<std::uint8_t> coverage_;
};

}  // namespace lookhere
