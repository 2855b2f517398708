// Weights as Pillow computes them: in double, made to sum to one, and rounded to 22 bits of fraction.
#include "vit/data/resample.h"

#include <algorithm>
#include <cmath>

#include "kernels/resample.h"
#include "tensor/shape.h"

namespace lookhere {
namespace {

double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

int fixed_point(double weight) {
  const double scaled = weight * (1 << kernels::kResampleBits);
  return static_cast<int>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

}  // namespace

Resample::Axis::Axis(Interpolation interpolation, long in_size, float begin, float end, long out_size)
    : in(in_size), out(out_size), is_copy(in_size == out_size && begin == 0 && end == static_cast<float>(in_size)) {
  for (const long size : {in, out})
    check(1 <= size && size <= 1 << 16, "resample: sizes must lie in [1, 65536], got ", size);
  check(0 <= begin && begin < end && end <= static_cast<float>(in), "resample: the box must lie in [0, ", in, "], got ",
        begin, " to ", end);
  const bool bicubic = interpolation == Interpolation::bicubic;
  const double scale = static_cast<double>(end - begin) / static_cast<double>(out), stretch = std::max(1.0, scale);
  const double support = (bicubic ? 2 : 1) * stretch;
  taps = 2 * static_cast<long>(std::ceil(support)) + 1;
  first.resize(out);
  count.resize(out);
  weights.assign(checked_mul(out, taps), 0);
  std::vector<double> exactly(taps);
  for (long i = 0; i < out; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * scale;
    first[i] = std::max(static_cast<int>(centre - support + 0.5), 0);
    count[i] = static_cast<int>(std::min(static_cast<long>(centre + support + 0.5), in)) - first[i];
    double sum = 0;  // less than that of the whole filter where it hangs over the border
    for (int k = 0; k < count[i]; ++k) {
      const double x = (k + first[i] - centre + 0.5) * (1 / stretch);
      exactly[k] = bicubic ? cubic(x) : triangle(x);
      sum += exactly[k];
    }
    for (int k = 0; k < count[i]; ++k) weights[i * taps + k] = fixed_point(exactly[k] / sum);
  }
}

Resample::Resample(Interpolation interpolation, long in_height, long in_width, long out_height, long out_width)
    : Resample(interpolation, in_height, in_width, {0, 0, static_cast<float>(in_width), static_cast<float>(in_height)},
               out_height, out_width) {}

Resample::Resample(Interpolation interpolation, long in_height, long in_width, const SourceBox& box, long out_height,
                   long out_width)
    : rows_(interpolation, in_height, box.top, box.bottom, out_height),
      columns_(interpolation, in_width, box.left, box.right, out_width) {}

void Resample::operator()(std::uint8_t* out, const Image& image, std::vector<std::uint8_t>& scratch, long top,
                          long left) const {
  check(0 <= top && top <= image.height - rows_.in && 0 <= left && left <= image.width - columns_.in,
        "resample: wanted ", rows_.in, " x ", columns_.in, " pixels at (", top, ", ", left, "), got an image of ",
        image.height, " x ", image.width);
  // Only rows that the vertical pass will look at are worth a horizontal one.
  const long begin = rows_.first.front(), used = rows_.first.back() + rows_.count.back() - begin;
  const long turned = checked_mul(columns_.in, kernels::kResampleLines);
  if (std::ssize(scratch) < turned + checked_mul(used, columns_.out)) scratch.resize(turned + used * columns_.out);
  std::uint8_t* const between = scratch.data() + turned;
  for (long c = 0; c < image.channels; ++c, out += rows_.out * columns_.out) {
    const std::uint8_t* const window = image.pixels + (c * image.height + top) * image.width + left;
    if (!columns_.is_copy)
      kernels::resample_horizontal<std::uint8_t>(kernels::Cpu{}, {.y = between,
                                                                  .scratch = scratch.data(),
                                                                  .x = window + begin * image.width,
                                                                  .weights = columns_.weights.data(),
                                                                  .first = columns_.first.data(),
                                                                  .count = columns_.count.data(),
                                                                  .lines = used,
                                                                  .in = columns_.in,
                                                                  .out = columns_.out,
                                                                  .taps = columns_.taps,
                                                                  .x_stride = image.width});
    const long stride = columns_.is_copy ? image.width : columns_.out;
    const std::uint8_t* const from = columns_.is_copy ? window : between;
    kernels::resample_vertical<std::uint8_t>(kernels::Cpu{}, {.y = out,
                                                              .scratch = nullptr,
                                                              .x = from,
                                                              .weights = rows_.weights.data(),
                                                              .first = rows_.first.data(),
                                                              .count = rows_.count.data(),
                                                              .lines = columns_.out,
                                                              .in = rows_.in,
                                                              .out = rows_.out,
                                                              .taps = rows_.taps,
                                                              .x_stride = stride,
                                                              .skipped = columns_.is_copy ? 0 : begin});
  }
}

}  // namespace lookhere
