// Which sources a value on a resized axis mixes, and by what weights, in f64. Corners are not aligned: targets and
// sources are the centres of equal parts of the same length.
#pragma once
#include "kernels/attention/field_of_view.h"

namespace kernels {

// Two neighbours; four, under Keys' cubic with a = -0.75 as PyTorch has it; those under the cubic with a = -0.5, which
// is widened where the axis shrinks (antialias=True of PyTorch, and so timm's rule for learned positions).
enum class GridFilter { bilinear, bicubic, bicubic_antialias };

// Keys' cubic (1981).
HOST_DEVICE inline double keys_cubic(double x, double a) {
  if (x < 0) x = -x;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

// Target i of `to` is the sum of weight(k) · source(k) for k in [0, count).
struct GridTaps {
  GridFilter filter;
  long from, first, count;
  double at, stretch = 1, sum = 1;  // the target's place among the sources, source i at i

  HOST_DEVICE GridTaps(long i, long to, long from_size, GridFilter how) : filter(how), from(from_size) {
    at = (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    if (filter == GridFilter::bicubic_antialias) {
      set_widened(to);
      return;
    }
    if (filter == GridFilter::bilinear && at < 0) at = 0;
    const long below = at < 0 ? -1 : static_cast<long>(at);  // at > -1/2
    first = filter == GridFilter::bilinear ? below : below - 1;
    count = filter == GridFilter::bilinear ? 2 : 4;
  }
  // Beyond its ends an axis goes on with its last value.
  HOST_DEVICE long source(long k) const {
    const long at_tap = first + k;
    return at_tap < 0 ? 0 : at_tap < from ? at_tap : from - 1;
  }
  HOST_DEVICE double weight(long k) const {
    const double offset = at - static_cast<double>(first);
    if (filter == GridFilter::bilinear) return k ? offset : 1 - offset;
    if (filter == GridFilter::bicubic) return keys_cubic(offset - static_cast<double>(k), -0.75);
    return keys_cubic((offset - static_cast<double>(k)) / stretch, -0.5) / sum;
  }
  HOST_DEVICE double share_of(long s) const {
    double share = 0;
    for (long k = 0; k < count; ++k)
      if (source(k) == s) share += weight(k);
    return share;
  }

 private:
  // Only what lies inside: the weights of less than the whole cubic are made to sum to one.
  HOST_DEVICE void set_widened(long to) {
    const double scale = static_cast<double>(from) / static_cast<double>(to), centre = at + 0.5;
    stretch = scale > 1 ? scale : 1;
    const double begin = centre - 2 * stretch + 0.5, end = centre + 2 * stretch + 0.5;
    first = begin > 0 ? static_cast<long>(begin) : 0;
    count = (end < static_cast<double>(from) ? static_cast<long>(end) : from) - first;
    double all = 0;
    for (long k = 0; k < count; ++k) all += weight(k);
    sum = all;
  }
};

// Targets that may hold any of source s: [begin, end).
struct GridRange {
  long begin, end;
};
HOST_DEVICE inline GridRange targets_of(long s, long to, long from) {
  const double scale = static_cast<double>(to) / static_cast<double>(from), reach = scale < 1 ? 2 : 2 * scale;
  const double centre = (static_cast<double>(s) + 0.5) * scale;
  const auto begin = static_cast<long>(centre - reach) - 2, end = static_cast<long>(centre + reach) + 2;
  return {s == 0 || begin < 0 ? 0 : begin, s == from - 1 || end > to ? to : end};
}

}  // namespace kernels
