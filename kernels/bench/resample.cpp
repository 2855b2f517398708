// Resampling of photographs' planes to 224 x 224, one axis at a time.
#include "kernels/resample.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

constexpr long kHeight = 375, kWidth = 500, kSize = 224, kTaps = 11;  // a cubic has so many where 500 become 224

// What one would write first: output by output.
void first_loops(const ResampleAxis<unsigned char>& p, bool horizontal) {
  for (long line = 0; line < p.lines; ++line)
    for (long i = 0; i < p.out; ++i) {
      int sum = 1 << (kResampleBits - 1);
      for (long k = p.first[i]; k < p.first[i] + p.count[i]; ++k)
        sum += p.weights[i * p.taps + k - p.first[i]] * p.x[horizontal ? line * p.x_stride + k : k * p.x_stride + line];
      p.y[horizontal ? line * p.out + i : i * p.lines + line] =
          static_cast<unsigned char>(std::clamp(sum >> kResampleBits, 0, 255));
    }
}

// Neighbouring inputs with equal weights.
struct Axis {
  std::vector<int> weights, first, count;
  explicit Axis(long in) : weights(kSize * kTaps, (1 << kResampleBits) / kTaps), count(kSize, kTaps) {
    for (long i = 0; i < kSize; ++i) first.push_back(static_cast<int>(i * (in - kTaps) / kSize));
  }
};

}  // namespace

int main(int argc, char** argv) {
  Values<unsigned char> photo(kHeight * kWidth), between(kHeight * kSize), out(kSize * kSize),
      scratch(kWidth * kResampleLines);
  for (std::size_t i = 0; i < photo.size(); ++i) photo[i] = static_cast<unsigned char>(i * i >> 7);
  const Axis columns(kWidth), rows(kHeight);
  const ResampleAxis<unsigned char> along_rows{.y = between.data(),
                                               .scratch = scratch.data(),
                                               .x = photo.data(),
                                               .weights = columns.weights.data(),
                                               .first = columns.first.data(),
                                               .count = columns.count.data(),
                                               .lines = kHeight,
                                               .in = kWidth,
                                               .out = kSize,
                                               .taps = kTaps,
                                               .x_stride = kWidth};
  const ResampleAxis<unsigned char> along_columns{.y = out.data(),
                                                  .scratch = nullptr,
                                                  .x = between.data(),
                                                  .weights = rows.weights.data(),
                                                  .first = rows.first.data(),
                                                  .count = rows.count.data(),
                                                  .lines = kSize,
                                                  .in = kHeight,
                                                  .out = kSize,
                                                  .taps = kTaps,
                                                  .x_stride = kSize};
  const auto bytes = [](const ResampleAxis<unsigned char>& p) { return static_cast<double>(p.lines * (p.in + p.out)); };
  std::vector<Case> cases;
  for (const bool horizontal : {true, false}) {
    const ResampleAxis<unsigned char> p = horizontal ? along_rows : along_columns;
    const Case one{.kernel = horizontal ? "resample_horizontal" : "resample_vertical",
                   .rung = "first loops",
                   .shape = horizontal ? "375 x 500 to 375 x 224" : "375 x 224 to 224 x 224",
                   .bytes = bytes(p),
                   .run = [=] { first_loops(p, horizontal); },
                   .dtype = "u8"};
    cases.push_back(one);
    cases.push_back(one);
    cases.back().rung = "kernel";
    cases.back().run = [=] { horizontal ? resample_horizontal(Cpu{}, p) : resample_vertical(Cpu{}, p); };
  }
  return run_all(argc, argv, cases);
}
