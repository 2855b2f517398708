// Which tokens a block of the flash kernels (flash.cu) takes together, and which of them may see each other: what is
// computed at all. On host and device the same.
//
// A tile is a square of 8 × 8 patches: what a head sees begins and ends at straight lines, and squares lie on one side
// of such a line more often than runs of a row do. A square's rows of 8 patches come to the matrix units in pairs,
// groups of 16 tokens, and a group is computed against a group. Other tokens (the prefix, or all where there is no
// bias) are tiles of 64 in their order.
#pragma once
#include "kernels/attention/field_of_view.h"

namespace kernels::flash {

inline constexpr int kSide = 8, kTile = kSide * kSide, kGroup = 16, kGroups = kTile / kGroup;

// Rows and columns of patches, both ends included.
struct Square {
  int y0, y1, x0, x1;
};

struct Tile {
  bool patches;
  int y, x;           // of its first patch
  int rows, columns;  // of patches
  int first, tokens;  // if it is none of patches
  HOST_DEVICE int groups() const { return patches ? (rows + 1) / 2 : (tokens + kGroup - 1) / kGroup; }
  HOST_DEVICE Square group(int g) const {
    return {y + 2 * g, y + (2 * g + 1 < rows ? 2 * g + 1 : rows - 1), x, x + columns - 1};
  }
  HOST_DEVICE Square square() const { return {y, y + rows - 1, x, x + columns - 1}; }
  // Is there a token at [0 ... 63]?
  HOST_DEVICE bool has(int slot) const {
    return patches ? slot / kSide < rows && slot % kSide < columns : slot < tokens;
  }
};

struct Tiles {
  int height, width;  // of the grid, in patches; 0 if no token's place matters
  int prefix;         // tokens before the patches
  HOST_DEVICE int across() const { return (width + kSide - 1) / kSide; }
  HOST_DEVICE int down() const { return (height + kSide - 1) / kSide; }
  HOST_DEVICE int of_patches() const { return down() * across(); }
  HOST_DEVICE int count() const { return of_patches() + (prefix + kTile - 1) / kTile; }
  HOST_DEVICE Tile operator[](int i) const {
    return i < of_patches() ? square(i / across() * kSide, i % across() * kSide) : run(i);
  }
  HOST_DEVICE Tile square(int y, int x) const {
    return {true, y, x, height - y < kSide ? height - y : kSide, width - x < kSide ? width - x : kSide, 0, 0};
  }
  HOST_DEVICE Tile run(int i) const {  // of tokens before the patches
    const int first = (i - of_patches()) * kTile;
    return {false, 0, 0, 0, 0, first, prefix - first < kTile ? prefix - first : kTile};
  }
  // The token at tile's [slot], which it has.
  HOST_DEVICE long token(const Tile& tile, int slot) const {
    if (!tile.patches) return tile.first + slot;
    return prefix + static_cast<long>(tile.y + slot / kSide) * width + tile.x + slot % kSide;
  }
};
inline Tiles tiles_of(Grid grid, long prefix, bool biased) {
  if (!biased) return {0, 0, static_cast<int>(prefix + grid.patches())};
  return {static_cast<int>(grid.y), static_cast<int>(grid.x), static_cast<int>(prefix)};
}

// Has the half-plane any pair of a query and a key of these squares?
HOST_DEVICE inline bool may_see(HalfPlane plane, Square query, Square key) {
  const int dy = plane.a < 0 ? key.y0 - query.y1 : key.y1 - query.y0;
  const int dx = plane.b < 0 ? key.x0 - query.x1 : key.x1 - query.x0;
  return plane.a * dy + plane.b * dx >= 0;
}
// The sum of two half-planes' conditions is a third one: for the squares beside a triangle's tip.
HOST_DEVICE inline bool may_see(const FieldOfView& view, Square query, Square key) {
  if (const int w = static_cast<int>(view.window))
    if (key.y0 / w > query.y1 / w || key.y1 / w < query.y0 / w || key.x0 / w > query.x1 / w ||
        key.x1 / w < query.x0 / w)
      return false;
  return may_see(view.first, query, key) && may_see(view.second, query, key) &&
         may_see(HalfPlane{view.first.a + view.second.a, view.first.b + view.second.b}, query, key);
}
// A token of the prefix sees all, and is seen by all.
HOST_DEVICE inline bool may_see(const FieldOfView& view, const Tile& query, const Tile& key) {
  return !query.patches || !key.patches || may_see(view, query.square(), key.square());
}
// Group g of one against group h of the other; neither is empty.
HOST_DEVICE inline bool may_see(const FieldOfView& view, const Tile& query, int g, const Tile& key, int h) {
  return !query.patches || !key.patches || may_see(view, query.group(g), key.group(h));
}

}  // namespace kernels::flash
