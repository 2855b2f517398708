// What a LookHere head sees and how much distance costs it (Fuller et al. 2024, arXiv 2405.13985, eq. 1-2).
//
// Every direction is at most two half-planes a·dy + b·dx >= 0 with a, b in {-1, 0, 1}, where (dy, dx) = key - query in
// patches. This struct drives every attention kernel, the pictures and the tests; no N×N mask or bias is ever stored.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "kernels/bf16.h"
#include "kernels/host_device.h"

namespace kernels {

struct Grid {
  long y = 1, x = 1;  // rows and columns of patches; patch index = row * x + column
  HOST_DEVICE long patches() const { return y * x; }
  bool operator==(const Grid&) const = default;
};

struct HalfPlane {
  int a = 0, b = 0;  // a·dy + b·dx >= 0; (0, 0) is the whole plane
  HOST_DEVICE bool contains(long dy, long dx) const { return a * dy + b * dx >= 0; }
  bool operator==(const HalfPlane&) const = default;
};

struct FieldOfView {
  HalfPlane first, second;
  long window = 0;  // beside them: only keys in the query's own square of so many patches a side; 0: anywhere
  HOST_DEVICE bool sees(long dy, long dx) const { return first.contains(dy, dx) && second.contains(dy, dx); }
  HOST_DEVICE bool same_window(long qy, long qx, long ky, long kx) const {
    return window == 0 || (qy / window == ky / window && qx / window == kx / window);
  }
  bool sees_all() const { return first == HalfPlane{} && second == HalfPlane{} && window == 0; }
  bool operator==(const FieldOfView&) const = default;
};

enum class DistanceFrom { query, grid_center, nothing };  // `nothing`: distance 0 (the direction name `zero`)
// Of the Euclidean distance; or |dy| + |dx| in its place (Fan et al. 2024, arXiv 2309.11523).
enum class DistancePower { linear, sqrt, square, manhattan };
enum class MaskFill {
  inf,
  zero,
  max
};  // what stands where a head does not see: nothing at all, distance 0, or the largest

struct LookHereHead {
  FieldOfView view;
  DistanceFrom from = DistanceFrom::query;
  DistancePower power = DistancePower::linear;
  MaskFill fill = MaskFill::inf;
  double slope = 0;        // s_h
  double layer_slope = 1;  // s_g · s_l
  bool round_to_bf16 = true;

  // What the kernels may skip: with another fill than `inf` masked keys still take part.
  HOST_DEVICE FieldOfView effective_view() const {
    return fill == MaskFill::inf && layer_slope * slope != 0 ? view : FieldOfView{};
  }

  HOST_DEVICE double distance(double dy, double dx) const {
    if (from == DistanceFrom::nothing) return 0;
    if (power == DistancePower::manhattan) return std::abs(dy) + std::abs(dx);
    const double d = std::sqrt(dy * dy + dx * dx);
    if (from == DistanceFrom::grid_center) return d;  // the authors' code replaces the distance after taking its power
    return power == DistancePower::sqrt ? std::sqrt(d) : power == DistancePower::square ? d * d : d;
  }
  HOST_DEVICE double largest_distance(Grid grid) const {
    const double dy = static_cast<double>(grid.y - 1), dx = static_cast<double>(grid.x - 1);
    return from == DistanceFrom::grid_center ? distance(dy / 2, dx / 2) : distance(dy, dx);
  }

  // The value added to the logit of query patch (qy, qx) and key patch (ky, kx): minus the slopes times the distance,
  // -inf where the head does not see. Order of operations and rounding (f64, then f32, then bf16) as the authors'.
  HOST_DEVICE double bias(Grid grid, long qy, long qx, long ky, long kx) const {
    const FieldOfView seen = effective_view();
    if (!seen.sees(ky - qy, kx - qx) || !seen.same_window(qy, qx, ky, kx))
      return -std::numeric_limits<double>::infinity();
    const double d = !view.sees(ky - qy, kx - qx) ? fill == MaskFill::max ? largest_distance(grid) : 0
                     : from == DistanceFrom::grid_center
                         ? distance(static_cast<double>(ky) - static_cast<double>(grid.y - 1) / 2,
                                    static_cast<double>(kx) - static_cast<double>(grid.x - 1) / 2)
                         : distance(static_cast<double>(ky - qy), static_cast<double>(kx - qx));
    const double penalty = layer_slope * (slope * d);
    return round_to_bf16 ? -static_cast<double>(static_cast<float>(bf16(static_cast<float>(penalty)))) : -penalty;
  }
};

// How many (query, key) pairs the head sees, those with one of `prefix` tokens included.
inline long visible_pairs(const LookHereHead& head, Grid grid, long prefix) {
  const FieldOfView view = head.effective_view();
  long pairs = prefix * (2 * grid.patches() + prefix);
  if (view.window) {
    LookHereHead inside = head;
    inside.view.window = 0;
    for (long y = 0; y < grid.y; y += view.window)
      for (long x = 0; x < grid.x; x += view.window)
        pairs += visible_pairs(inside, {std::min(view.window, grid.y - y), std::min(view.window, grid.x - x)}, 0);
    return pairs;
  }
  for (long dy = 1 - grid.y; dy < grid.y; ++dy)
    for (long dx = 1 - grid.x; dx < grid.x; ++dx)
      if (view.sees(dy, dx)) pairs += (grid.y - std::abs(dy)) * (grid.x - std::abs(dx));
  return pairs;
}

// One head's bias by relative position (for a window, of the pairs in one), what the fast kernels read: (2·grid.y - 1)
// × (2·grid.x - 1) values, query minus key: the pair (dy, dx) stands at [grid.y - 1 - dy][grid.x - 1 - dx], so that
// neighbouring queries are neighbours. For heads whose distance counts from the grid centre it depends on the key
// alone: only the mask here, the values in key_bias. (So such a head cannot mask with a finite value;
// make_attention_heads refuses it.)
inline long relative_size(Grid grid) { return (2 * grid.y - 1) * (2 * grid.x - 1); }

template <class T>
void relative_bias(T* table, const LookHereHead& head, Grid grid) {
  for (long dy = grid.y - 1; dy > -grid.y; --dy)
    for (long dx = grid.x - 1; dx > -grid.x; --dx, ++table) {
      const long qy = std::max(0L, -dy), qx = std::max(0L, -dx);  // any pair with this offset
      if (head.from != DistanceFrom::grid_center)
        *table = static_cast<T>(head.bias(grid, qy, qx, qy + dy, qx + dx));
      else
        *table = head.effective_view().sees(dy, dx) ? T(0) : -std::numeric_limits<T>::infinity();
    }
}

template <class T>
void key_bias(T* values, LookHereHead head, Grid grid) {
  head.view = {};  // the mask stands in relative_bias
  for (long y = 0; y < grid.y; ++y)
    for (long x = 0; x < grid.x; ++x, ++values)
      *values = head.from == DistanceFrom::grid_center ? static_cast<T>(head.bias(grid, 0, 0, y, x)) : T(0);
}

}  // namespace kernels
