// Casts of ViT-S's hidden layer (64 images of 224 px, 1536 features): bf16's scalar conversion, then the kernels.
#include "kernels/cast.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

constexpr long kN = 64L * 197 * 1536;

}  // namespace

int main(int argc, char** argv) {
  Values<float> wide = random_values(kN);
  Values<bf16> narrow = random_values<bf16>(kN);
  Values<double> widest(kN);
  float* f = wide.data();
  bf16* b = narrow.data();
  double* d = widest.data();
  std::vector<Case> cases;
  const auto add = [&](const char* kernel, const char* rung, double bytes, std::function<void()> run) {
    cases.push_back(
        {.kernel = kernel, .rung = rung, .shape = "12608 x 1536", .bytes = bytes * kN, .run = std::move(run)});
  };
  add("f32 to bf16", "one by one", 6, [=] {
    parallel_blocks(kN, [=](long begin, long end) {
      for (long i = begin; i < end; ++i) b[i] = bf16(f[i]);
    });
  });
  add("f32 to bf16", "kernel", 6, [=] { kernels::narrow<bf16>(Cpu{}, {.y = b, .x = f, .n = kN}); });
  add("bf16 to f32", "kernel", 6, [=] { widen<bf16>(Cpu{}, {.y = f, .x = b, .n = kN}); });
  add("f64 to f32", "kernel", 12, [=] { kernels::narrow<float>(Cpu{}, {.y = f, .x = d, .n = kN}); });
  add("f32 to f64", "kernel", 12, [=] { widen<float>(Cpu{}, {.y = d, .x = f, .n = kN}); });
  return run_all(argc, argv, cases);
}
