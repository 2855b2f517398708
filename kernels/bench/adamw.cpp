// AdamW over 22 million weights (ViT-S): one pass per line of the formula, then the fused kernel.
#include "kernels/adamw.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

// Each line of the formula as a pass of its own, the way a library of tensor operations would run it.
void pass_per_line(const AdamW<float>& p, Values<float>& scratch) {
  const auto beta1 = static_cast<float>(p.beta1), beta2 = static_cast<float>(p.beta2), eps = static_cast<float>(p.eps);
  const auto shrink = static_cast<float>(1 - p.lr * p.decay), step = static_cast<float>(p.lr / p.bias1);
  const auto root = static_cast<float>(std::sqrt(p.bias2));
  scratch.resize(p.n);
  float* t = scratch.data();
  const auto pass = [&](auto f) {
    parallel_blocks(p.n, [=](long begin, long end) {
      for (long i = begin; i < end; ++i) f(i);
    });
  };
  pass([=](long i) { p.m[i] = beta1 * p.m[i] + (1 - beta1) * p.g[i]; });
  pass([=](long i) { p.v[i] = beta2 * p.v[i] + (1 - beta2) * p.g[i] * p.g[i]; });
  pass([=](long i) { t[i] = std::sqrt(p.v[i]) / root + eps; });
  pass([=](long i) { t[i] = p.m[i] / t[i]; });
  pass([=](long i) { p.w[i] *= shrink; });
  pass([=](long i) { p.w[i] -= step * t[i]; });
}

}  // namespace

int main(int argc, char** argv) {
  const long n = 22'000'000;
  Values<float> w = random_values(n), m(n), v(n), ema(n), g = random_values(n, 2), scratch;
  AdamW<float> problem{.w = w.data(),
                       .m = m.data(),
                       .v = v.data(),
                       .g = g.data(),
                       .n = n,
                       .lr = 1e-3,
                       .beta1 = 0.9,
                       .beta2 = 0.999,
                       .eps = 1e-8,
                       .decay = 0.05,
                       .ema_decay = 0.999,
                       .bias1 = 0.1,
                       .bias2 = 0.001};
  AdamW<float> with_ema = problem;
  with_ema.ema = ema.data();
  std::vector<Case> cases;
  const auto add = [&](const char* kernel, const char* rung, double tensors, std::function<void()> run) {
    cases.push_back({.kernel = kernel,
                     .rung = rung,
                     .shape = "22 M weights",
                     .bytes = tensors * 4.0 * static_cast<double>(n),
                     .run = std::move(run)});
  };
  add("adamw", "pass per line", 7, [&] { pass_per_line(problem, scratch); });
  add("adamw", "kernel", 7, [&] { adamw(Cpu{}, problem); });  // reads w, m, v, g, writes w, m, v
  add("adamw", "kernel with EMA", 9, [&] { adamw(Cpu{}, with_ema); });
  return run_all(argc, argv, cases);
}
