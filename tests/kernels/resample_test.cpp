// Resampling along an axis against plain sums, in sizes around a block of 16, with rows that lie apart.
#include "kernels/resample.h"

#include <algorithm>

#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

using Bytes = std::vector<unsigned char>;

// Random weights, also negative ones, that bring sums below 0 and above 255; outputs see from 0 to `taps` inputs.
struct Axis {
  long in, out, taps;
  std::vector<int> weights, first, count;
  Axis(long in_size, long out_size, long most_taps) : in(in_size), out(out_size), taps(most_taps) {
    Rng rng(1, Purpose::test, static_cast<std::uint32_t>(in), static_cast<std::uint32_t>(out));
    for (long i = 0; i < out; ++i) {
      count.push_back(static_cast<int>(rng.below(static_cast<std::uint32_t>(std::min(taps, in) + 1))));
      first.push_back(static_cast<int>(rng.below(static_cast<std::uint32_t>(in - count.back() + 1))));
    }
    for (long i = 0; i < out * taps; ++i) weights.push_back(static_cast<int>(rng.below(2'000'000)) - 500'000);
  }
  // x(k) is input k of one line.
  template <class F>
  unsigned char output(long i, F x) const {
    long sum = 1 << 21;
    for (long k = 0; k < count[i]; ++k) sum += long{weights[i * taps + k]} * x(first[i] + k);
    return static_cast<unsigned char>(std::clamp(sum >> 22, 0L, 255L));
  }
  kernels::ResampleAxis<unsigned char> problem(Bytes& y, Bytes& scratch, const unsigned char* x, long lines,
                                               long stride) const {
    return {.y = y.data(),
            .scratch = scratch.data(),
            .x = x,
            .weights = weights.data(),
            .first = first.data(),
            .count = count.data(),
            .lines = lines,
            .in = in,
            .out = out,
            .taps = taps,
            .x_stride = stride};
  }
};

// Pixels at the end of their memory, so that a sanitizer sees whoever reads on.
Bytes pixels(long n) {
  Rng rng(2, Purpose::test);
  Bytes values(n);
  for (unsigned char& value : values) value = static_cast<unsigned char>(rng.below(256));
  return values;
}

const Axis kAxes[] = {{1, 1, 1}, {1, 33, 3}, {15, 16, 4}, {16, 15, 7}, {17, 5, 17}, {40, 31, 11}};

TEST(Resample, AlongRows) {
  for (const Axis& axis : kAxes)
    for (const long lines : {1L, 15L, 16L, 17L, 33L}) {
      const long stride = axis.in + 3;
      const Bytes x = pixels((lines - 1) * stride + axis.in);
      Bytes y(lines * axis.out), scratch(axis.in * kernels::kResampleLines);
      kernels::resample_horizontal<unsigned char>(Cpu{}, axis.problem(y, scratch, x.data(), lines, stride));
      for (long line = 0; line < lines; ++line)
        for (long i = 0; i < axis.out; ++i)
          ASSERT_EQ(y[line * axis.out + i], axis.output(i, [&](long k) { return x[line * stride + k]; }))
              << axis.in << " to " << axis.out << ", row " << line << " of " << lines << ", " << i;
    }
}

TEST(Resample, AlongColumns) {
  for (const Axis& axis : kAxes)
    for (const long lines : {1L, 15L, 16L, 17L, 33L}) {
      const long stride = lines + 5;
      const long skipped = *std::ranges::min_element(axis.first);
      const Bytes x = pixels((axis.in - 1) * stride + lines);
      Bytes y(lines * axis.out), none;
      kernels::ResampleAxis<unsigned char> p = axis.problem(y, none, x.data() + skipped * stride, lines, stride);
      p.skipped = skipped;
      kernels::resample_vertical<unsigned char>(Cpu{}, p);
      for (long line = 0; line < lines; ++line)
        for (long i = 0; i < axis.out; ++i)
          ASSERT_EQ(y[i * lines + line], axis.output(i, [&](long k) { return x[k * stride + line]; }))
              << axis.in << " to " << axis.out << ", column " << line << " of " << lines << ", " << i;
    }
}

}  // namespace
}  // namespace lookhere
