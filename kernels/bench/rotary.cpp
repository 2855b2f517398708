// Rotary embedding of ViT-B's packed queries, keys and values, 64 images of 224 px.
#include "kernels/rotary.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

constexpr long kImages = 64, kTokens = 197, kHeads = 12, kDim = 64;

// What one would write first: head by head, the angle's cosine and sine when they are needed.
void first_loops(const Rotary<float>& p) {
  const long quarter = p.head_dim / 4;
  for (long row = 0; row < p.images * p.tokens; ++row)
    for (long head = 0; head < 3 * p.heads; ++head)
      for (long i = 0; i < p.head_dim; ++i) {
        const long at = (row * 3 * p.heads + head) * p.head_dim + i, patch = row % p.tokens - 1, axis = i / quarter / 2;
        if (patch < 0 || head >= 2 * p.heads) {
          p.y[at] = p.x[at];
          continue;
        }
        const auto step = static_cast<float>(axis ? patch % 14 : patch / 14);
        const float angle = step * std::pow(100.F, -static_cast<float>(i % quarter) / static_cast<float>(quarter));
        const bool second = i / quarter % 2 != 0;
        p.y[at] = p.x[at] * std::cos(angle) + (second ? p.x[at - quarter] : -p.x[at + quarter]) * std::sin(angle);
      }
}

}  // namespace

int main(int argc, char** argv) {
  const long n = kImages * kTokens * 3 * kHeads * kDim, angles = (kTokens - 1) * kDim / 2;
  Values<float> x = random_values(n), y(n), cos = random_values(angles, 2), sin = random_values(angles, 3);
  const Rotary<float> p{.y = y.data(),
                        .x = x.data(),
                        .cos = cos.data(),
                        .sin = sin.data(),
                        .images = kImages,
                        .tokens = kTokens,
                        .patches = kTokens - 1,
                        .heads = kHeads,
                        .head_dim = kDim};
  Rotary<float> in_place = p;
  in_place.x = in_place.y;
  const std::string shape = "64 x 197 x 3 x 12 x 64";
  const double bytes = 8.0 * static_cast<double>(n);
  std::vector<Case> cases;
  cases.push_back(
      {.kernel = "rotary", .rung = "first loops", .shape = shape, .bytes = bytes, .run = [=] { first_loops(p); }});
  cases.push_back(
      {.kernel = "rotary", .rung = "kernel", .shape = shape, .bytes = bytes, .run = [=] { rotary(Cpu{}, p); }});
  cases.push_back({.kernel = "rotary, in place", .rung = "kernel", .shape = shape, .bytes = bytes * 2 / 3, .run = [=] {
                     rotary(Cpu{}, in_place);
                   }});
  return run_all(argc, argv, cases);
}
