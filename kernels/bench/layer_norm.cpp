// Layer normalisation: the textbook's loops on one thread, then the kernel; ViT-B with 64 images of 224 px.
#include "kernels/layer_norm.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

// Without `simd reduction` the compiler must add in order: one value per multiply-add latency.
void textbook(const LayerNorm<float>& p) {
  for (long r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * p.cols;
    float mean = 0, variance = 0;
    for (long c = 0; c < p.cols; ++c) mean += x[c];
    mean /= static_cast<float>(p.cols);
    for (long c = 0; c < p.cols; ++c) variance += (x[c] - mean) * (x[c] - mean);
    const float rstd = 1 / std::sqrt(variance / static_cast<float>(p.cols) + p.eps);
    for (long c = 0; c < p.cols; ++c) p.y[r * p.cols + c] = (x[c] - mean) * rstd * p.w[c] + p.b[c];
    p.mean[r] = mean, p.rstd[r] = rstd;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Case> cases;
  const long rows = 64 * 197, cols = 768;
  const double bytes = 4.0 * static_cast<double>(rows * cols);  // of one tensor
  std::vector<float> x = random_values(rows * cols), y(rows * cols), dy = random_values(rows * cols, 2), mean(rows),
                     rstd(rows), w(cols, 1), b(cols), dw(cols), db(cols);
  const LayerNorm<float> forward{.y = y.data(),
                                 .mean = mean.data(),
                                 .rstd = rstd.data(),
                                 .x = x.data(),
                                 .w = w.data(),
                                 .b = b.data(),
                                 .rows = rows,
                                 .cols = cols,
                                 .eps = 1e-6F};
  const LayerNormBackward<float> backward{.dx = y.data(),
                                          .dw = dw.data(),
                                          .db = db.data(),
                                          .dy = dy.data(),
                                          .x = x.data(),
                                          .mean = mean.data(),
                                          .rstd = rstd.data(),
                                          .w = w.data(),
                                          .rows = rows,
                                          .cols = cols};
  layer_norm(Cpu{}, forward);  // mean and rstd for the backward pass
  const std::string shape = "12608 x 768";
  const auto add = [&](const char* kernel, const char* rung, double tensors, std::function<void()> run) {
    cases.push_back({.kernel = kernel, .rung = rung, .shape = shape, .bytes = tensors * bytes, .run = std::move(run)});
  };
  add("layer_norm", "textbook", 2, [&] { textbook(forward); });
  add("layer_norm", "kernel", 2, [&] { layer_norm(Cpu{}, forward); });
  add("layer_norm_backward", "kernel", 3, [&] { layer_norm_backward(Cpu{}, backward); });
  return run_all(argc, argv, cases);
}
