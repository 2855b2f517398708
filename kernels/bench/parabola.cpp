// PaPE's six features beside ViT-B's packed queries, keys and values, 64 images of 224 px.
#include "kernels/parabola.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

constexpr long kImages = 64, kTokens = 197, kHeads = 12, kDim = 64, kWide = kDim + kParabolaFeatures;

// What one would write first: value by value, each asking what it is.
void first_loops(const Parabola<float>& p) {
  const float larger = std::sqrt(static_cast<float>(kWide) / static_cast<float>(kDim));
  for (long i = 0; i < kImages * kTokens * 3 * kHeads * kWide; ++i) {
    const long row = i / kWide, column = i % kWide, head = row % kHeads, part = row / kHeads % 3;
    const long token = row / kHeads / 3, feature = column - kDim;
    if (feature < 0) {
      p.y[i] = p.x[row * kDim + column] * (part == 0 ? larger : 1);
      continue;
    }
    const float x = p.at[token % kTokens * 2], y = p.at[token % kTokens * 2 + 1];
    const float* const a = p.a + (token * kHeads + head) * 3;
    const float* const b = p.b + (token * kHeads + head) * 2;
    const float of_key[] = {x * x, x * y, y * y, x, y, 1};
    const float of_query[] = {-a[0],
                              -2 * a[1],
                              -a[2],
                              2 * (a[0] * x + a[1] * y) - b[0],
                              2 * (a[1] * x + a[2] * y) - b[1],
                              -a[0] * x * x - 2 * a[1] * x * y - a[2] * y * y + b[0] * x + b[1] * y};
    p.y[i] = part == 0 ? larger * of_query[feature] : part == 1 ? of_key[feature] : 0;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long rows = kImages * kTokens * kHeads;
  Values<float> x = random_values(rows * 3 * kDim), y(rows * 3 * kWide), a = random_values(rows * 3, 2);
  Values<float> b = random_values(rows * 2, 3), at = random_values(kTokens * 2, 4);
  Values<float> dx(rows * 3 * kDim), da(rows * 3), db(rows * 2);
  const Parabola<float> forward{.y = y.data(),
                                .x = x.data(),
                                .a = a.data(),
                                .b = b.data(),
                                .at = at.data(),
                                .images = kImages,
                                .tokens = kTokens,
                                .heads = kHeads,
                                .head_dim = kDim};
  const ParabolaBackward<float> backward{.dx = dx.data(),
                                         .da = da.data(),
                                         .db = db.data(),
                                         .dy = y.data(),
                                         .at = at.data(),
                                         .images = kImages,
                                         .tokens = kTokens,
                                         .heads = kHeads,
                                         .head_dim = kDim};
  std::vector<Case> cases;
  const auto add = [&](const char* kernel, const char* rung, std::function<void()> run) {
    cases.push_back({.kernel = kernel,
                     .rung = rung,
                     .shape = "64 x 197 x 3 x 12 x 64",
                     .bytes = 4.0 * static_cast<double>(rows * (3 * kDim + 3 * kWide + 5)),
                     .run = std::move(run)});
  };
  add("parabola", "first loops", [=] { first_loops(forward); });
  add("parabola", "kernel", [=] { parabola(Cpu{}, forward); });
  add("parabola_backward", "kernel", [=] { parabola_backward(Cpu{}, backward); });
  return run_all(argc, argv, cases);
}
