// Layer normalisation: the textbook's loops on one thread, passes over columns and rows, then the kernels, which read
// memory once; ViT-B with 64 images of 224 px.
#include "kernels/layer_norm.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

constexpr long kRows = 64 * 197, kCols = 768, kN = kRows * kCols;

// Without `simd reduction` the compiler must add in order: one value per multiply-add latency.
void textbook(const LayerNorm<float>& p) {
  for (long r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * p.cols;
    float mean = 0, variance = 0;
    for (long c = 0; c < p.cols; ++c) mean += x[c];
    mean /= static_cast<float>(p.cols);
    for (long c = 0; c < p.cols; ++c) variance += (x[c] - mean) * (x[c] - mean);
    const float rstd = 1 / std::sqrt(variance / static_cast<float>(p.cols) + static_cast<float>(p.eps));
    for (long c = 0; c < p.cols; ++c) p.y[r * p.cols + c] = (x[c] - mean) * rstd * p.w[c] + p.b[c];
    p.mean[r] = mean, p.rstd[r] = rstd;
  }
}

void dx_of_row(const LayerNormBackward<float>& p, long r) {
  const float *dy = p.dy + r * p.cols, *x = p.x + r * p.cols, mean = p.mean[r], rstd = p.rstd[r];
  float g_sum = 0, gx_sum = 0;
#pragma omp simd reduction(+ : g_sum, gx_sum)
  for (long c = 0; c < p.cols; ++c) {
    g_sum += dy[c] * p.w[c];
    gx_sum += dy[c] * p.w[c] * (x[c] - mean) * rstd;
  }
  const float g_mean = g_sum / static_cast<float>(p.cols), gx_mean = gx_sum / static_cast<float>(p.cols);
  for (long c = 0; c < p.cols; ++c)
    p.dx[r * p.cols + c] = rstd * (dy[c] * p.w[c] - g_mean - (x[c] - mean) * rstd * gx_mean);
}

// Each thread sums a block of columns over all rows, a fixed order; then dx by rows: dy and x come from memory twice.
void columns_then_rows(const LayerNormBackward<float>& p) {
  constexpr long kColumns = 64;
  parallel_for(p.cols / kColumns, p.rows * kColumns, [=](long block) {
    const long begin = block * kColumns;
    float dw[kColumns] = {}, db[kColumns] = {};
    for (long r = 0; r < p.rows; ++r) {
      const float *dy = p.dy + r * p.cols + begin, *x = p.x + r * p.cols + begin, mean = p.mean[r], rstd = p.rstd[r];
      for (long c = 0; c < kColumns; ++c) {
        dw[c] += dy[c] * ((x[c] - mean) * rstd);
        db[c] += dy[c];
      }
    }
    std::copy_n(dw, kColumns, p.dw + begin);
    std::copy_n(db, kColumns, p.db + begin);
  });
  parallel_for(p.rows, 4 * p.cols, [=](long r) { dx_of_row(p, r); });
}

// The cases of one type; the first rungs are for float alone.
template <class T>
void add_cases(std::vector<Case>& cases) {
  using A = Acc<T>;
  struct Data {
    Values<A> x = random_values<A>(kN), dx = random_values<A>(kN, 3), residual = dx, w = random_values<A>(kCols, 4),
              b = w, dw = w, db = w, mean = Values<A>(kRows), rstd = mean;
    Values<T> y = random_values<T>(kN), dy = random_values<T>(kN, 2);
  };
  const auto data = std::make_shared<Data>();
  const auto add = [&](const char* kernel, const char* rung, double values, double wide_values,
                       std::function<void()> run) {
    cases.push_back({.kernel = kernel,
                     .rung = rung,
                     .shape = "12608 x 768",
                     .bytes = kN * (values * sizeof(T) + wide_values * sizeof(A)),
                     .run = [data, run = std::move(run)] { run(); },
                     .dtype = std::is_same_v<T, bf16> ? "bf16" : "f32"});
  };
  Data& d = *data;
  const LayerNorm<T> forward{.y = d.y.data(),
                             .mean = d.mean.data(),
                             .rstd = d.rstd.data(),
                             .x = d.x.data(),
                             .w = d.w.data(),
                             .b = d.b.data(),
                             .rows = kRows,
                             .cols = kCols,
                             .eps = 1e-6};
  const LayerNormBackward<T> backward{.dx = d.dx.data(),
                                      .dw = d.dw.data(),
                                      .db = d.db.data(),
                                      .dy = d.dy.data(),
                                      .x = d.x.data(),
                                      .mean = d.mean.data(),
                                      .rstd = d.rstd.data(),
                                      .w = d.w.data(),
                                      .rows = kRows,
                                      .cols = kCols};
  LayerNormBackward<T> with_residual = backward;
  with_residual.dresidual = d.residual.data();
  layer_norm(Cpu{}, forward);  // mean and rstd for the backward pass
  constexpr bool kLadder = std::is_same_v<T, float>;
  if constexpr (kLadder) add("layer_norm", "textbook", 2, 0, [=] { textbook(forward); });
  add("layer_norm", "kernel", 1, 1, [=] { layer_norm(Cpu{}, forward); });
  if constexpr (kLadder) add("layer_norm_backward", "columns, then rows", 3, 0, [=] { columns_then_rows(backward); });
  add("layer_norm_backward", "kernel", 1, 2, [=] { layer_norm_backward(Cpu{}, backward); });
  add("layer_norm_backward", "kernel, residual", 1, 3, [=] { layer_norm_backward(Cpu{}, with_residual); });
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Case> cases;
  add_cases<float>(cases);
  add_cases<bf16>(cases);
  return run_all(argc, argv, cases);
}
