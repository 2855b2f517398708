// Separable resampling: along the columns of each row first, then along the rows.
#include "vit/data/resize.h"

#include <algorithm>
#include <cmath>

#include "tensor/shape.h"

namespace lookhere {

Resize::Axis::Axis(long in_size, long out_size) : in(in_size), out(out_size) {
  check(in >= 1 && out >= 1, "resize: sizes must be at least 1, got ", in, " to ", out);
  const double scale = static_cast<double>(in) / static_cast<double>(out), support = std::max(1.0, scale);
  taps = static_cast<long>(std::ceil(2 * support)) + 1;
  first.resize(out);
  count.resize(out);
  weights.assign(checked_mul(out, taps), 0);
  for (long i = 0; i < out; ++i) {
    const double centre = scale * (static_cast<double>(i) + 0.5);
    first[i] = std::max(static_cast<long>(centre - support + 0.5), 0L);
    count[i] = std::min(static_cast<long>(centre + support + 0.5), in) - first[i];
    const auto triangle = [&](long k) {
      return std::max(0.0, 1 - std::abs(static_cast<double>(first[i] + k) + 0.5 - centre) / support);
    };
    double sum = 0;  // less than the whole triangle where it hangs over the border
    for (long k = 0; k < count[i]; ++k) sum += triangle(k);
    for (long k = 0; k < count[i]; ++k) weights[i * taps + k] = static_cast<float>(triangle(k) / sum);
  }
}

Resize::Resize(long in_height, long in_width, long out_height, long out_width)
    : rows_(in_height, out_height), columns_(in_width, out_width) {}

void Resize::operator()(float* out, const float* in, long channels, float* scratch) const {
  for (long c = 0; c < channels; ++c, in += rows_.in * columns_.in, out += rows_.out * columns_.out) {
    for (long y = 0; y < rows_.in; ++y)
      for (long x = 0; x < columns_.out; ++x) {
        const float* from = in + y * columns_.in + columns_.first[x];
        float sum = 0;
        for (long k = 0; k < columns_.count[x]; ++k) sum += columns_.weights[x * columns_.taps + k] * from[k];
        scratch[y * columns_.out + x] = sum;
      }
    for (long y = 0; y < rows_.out; ++y) {
      float* row = out + y * columns_.out;
      std::fill(row, row + columns_.out, 0.0F);
      for (long k = 0; k < rows_.count[y]; ++k) {
        const float weight = rows_.weights[y * rows_.taps + k];
        const float* from = scratch + (rows_.first[y] + k) * columns_.out;
        for (long x = 0; x < columns_.out; ++x) row[x] += weight * from[x];
      }
    }
  }
}

}  // namespace lookhere
