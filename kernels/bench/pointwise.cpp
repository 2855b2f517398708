// The element-wise kernels on the hidden layer of ViT-S (64 images of 224 px, 1536 features), and GELU's two rungs.
#include "kernels/pointwise.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

// GELU with the C library's erf, which is a call per element: nothing vectorises.
void gelu_by_erf(const Gelu<float>& p) {
  parallel_blocks(p.n, [=](long begin, long end) {
    for (long i = begin; i < end; ++i) p.y[i] = 0.5F * p.x[i] * (1 + std::erf(p.x[i] * 0.70710678F));
  });
}

}  // namespace

int main(int argc, char** argv) {
  const long images = 64, tokens = 197, cols = 1536, rows = images * tokens, n = rows * cols;
  std::vector<float> x = random_values(n), y(n), dy = random_values(n, 2), bias = random_values(cols, 3), sums(cols),
                     keep(images, 1.25F);
  float *to = y.data(), *from = x.data(), *grad = dy.data(), *b = bias.data();
  std::vector<Case> cases;
  // `tensors`: how many of n values must be read or written.
  const auto add = [&](const char* kernel, const char* rung, double tensors, std::function<void()> run) {
    cases.push_back({.kernel = kernel,
                     .rung = rung,
                     .shape = "12608 x 1536",
                     .bytes = tensors * 4.0 * static_cast<double>(n),
                     .run = std::move(run)});
  };
  constexpr Cpu kCpu;
  add("gelu", "std::erf", 2, [=] { gelu_by_erf({.y = to, .x = from, .n = n}); });
  add("gelu", "kernel", 2, [=] { gelu<float>(kCpu, {.y = to, .x = from, .n = n}); });
  add("gelu_backward", "kernel", 3, [=] { gelu_backward<float>(kCpu, {.dx = to, .dy = grad, .x = from, .n = n}); });
  const auto other = [&](const char* kernel, double tensors, std::function<void()> run) {
    add(kernel, "kernel", tensors, std::move(run));
  };
  other("add", 3, [=] { kernels::add<float>(kCpu, {.y = to, .a = from, .b = grad, .n = n, .period = n}); });
  other("add bias", 2, [=] { kernels::add<float>(kCpu, {.y = to, .a = from, .b = b, .n = n, .period = cols}); });
  other("scale", 2, [=] { scale<float>(kCpu, {.y = to, .x = from, .n = n, .scale = 1.5F}); });
  other("multiply", 3, [=] { multiply<float>(kCpu, {.y = to, .a = from, .b = grad, .n = n}); });
  other("column_sum", 1,
        [&, from] { column_sum<float>(kCpu, {.out = sums.data(), .x = from, .rows = rows, .cols = cols}); });
  other("sum_of_squares", 1, [=] {
    double sum = 0;
    sum_of_squares<float>(kCpu, {.sum = &sum, .x = from, .n = n});
    benchmark::DoNotOptimize(sum);
  });
  other("tanh", 2, [=] { kernels::tanh<float>(kCpu, {.y = to, .x = from, .n = n}); });
  other("tanh_backward", 3, [=] { tanh_backward<float>(kCpu, {.dx = to, .dy = grad, .y = from, .n = n}); });
  other("dropout", 2,
        [=] { dropout<float>(kCpu, {.y = to, .x = from, .n = n, .keep = 0.9F, .seed = 1, .a = 0, .b = 0}); });
  const Residual<float> forward{.y = to,
                                .x = from,
                                .branch = grad,
                                .gamma = b,
                                .keep = keep.data(),
                                .images = images,
                                .tokens = tokens,
                                .cols = cols};
  const ResidualBackward<float> backward{.dbranch = to,
                                         .dgamma = sums.data(),
                                         .dy = grad,
                                         .branch = from,
                                         .gamma = b,
                                         .keep = keep.data(),
                                         .images = images,
                                         .tokens = tokens,
                                         .cols = cols};
  other("residual", 3, [=] { residual(kCpu, forward); });
  other("residual_backward", 3, [=] { residual_backward(kCpu, backward); });
  return run_all(argc, argv, cases);
}
