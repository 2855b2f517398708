// The element-wise kernels on the hidden layer of ViT-S (64 images of 224 px, 1536 features), in f32 after the loops
// that one would write first, and in bf16.
#include "kernels/pointwise.h"

#include <Random123/philox.h>

#include "kernels/activation/activation.h"
#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

constexpr long kImages = 64, kTokens = 197, kCols = 1536, kRows = kImages * kTokens, kN = kRows * kCols;

// -- The rungs below the kernels: f32 only
// -----------------------------------------------------------------------------

// A call of the C library per element: nothing vectorises.
template <class F>
void call_per_element(float* y, const float* x, F f) {
  parallel_blocks(kN, [=](long begin, long end) {
    for (long i = begin; i < end; ++i) y[i] = f(x[i]);
  });
}

// f(row, begin, sums): each thread goes down a block of columns, a cache line or two per row, so that the order of
// additions is fixed.
template <class F>
void down_columns(float* out, F f) {
  constexpr long kColumns = 64;
  parallel_for(kCols / kColumns, kRows * kColumns, [=](long block) {
    float sums[kColumns] = {};
    for (long r = 0; r < kRows; ++r)
      for (long c = 0; c < kColumns; ++c) sums[c] += f(r, block * kColumns + c);
    std::copy_n(sums, kColumns, out + block * kColumns);
  });
}

void dropout_one_by_one(const Dropout<float>& p) {
  const r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(p.seed), static_cast<std::uint32_t>(p.seed >> 32)}};
  parallel_blocks(p.n, [=](long begin, long end) {
    for (long i = begin; i < end; i += 4) {
      const auto bits = r123::Philox4x32()({{static_cast<std::uint32_t>(i / 4), 0, p.a, p.b}}, key);
      for (long k = 0; k < 4; ++k)
        p.y[i + k] = static_cast<float>(bits[k] >> 8) * 0x1p-24F < p.keep ? p.x[i + k] / p.keep : 0;
    }
  });
}

double squares_in_order(const float* x) {
  double sum = 0;
  for (long i = 0; i < kN; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

// -- The kernels
// -------------------------------------------------------------------------------------------------------

template <class T>
void add_cases(std::vector<Case>& cases) {
  using A = Acc<T>;
  struct Data {
    Values<T> x = random_values<T>(kN), y = x, dy = random_values<T>(kN, 2), bias = random_values<T>(kCols, 3);
    Values<A> stream = random_values<A>(kN, 5), out = stream, gamma = random_values<A>(kCols, 3), sums = gamma,
              keep = Values<A>(kImages, 1.25F);
  };
  const auto data = std::make_shared<Data>();
  T *to = data->y.data(), *from = data->x.data(), *grad = data->dy.data(), *bias = data->bias.data();
  A *stream = data->stream.data(), *out = data->out.data(), *gamma = data->gamma.data(), *sums = data->sums.data(),
    *keep = data->keep.data();
  // `values` of type T and `wide` of type A must be read or written, kN times.
  const auto add = [&](const std::string& kernel, const char* rung, double values, double wide,
                       std::function<void()> run) {
    cases.push_back({.kernel = kernel,
                     .rung = rung,
                     .shape = "12608 x 1536",
                     .bytes = kN * (values * sizeof(T) + wide * sizeof(A)),
                     .run = [data, run = std::move(run)] { run(); },
                     .dtype = std::is_same_v<T, bf16> ? "bf16" : "f32"});
  };
  const auto kernel = [&](const std::string& name, double values, double wide, std::function<void()> run) {
    add(name, "kernel", values, wide, std::move(run));
  };
  constexpr Cpu kCpu;
  constexpr bool kLadder = std::is_same_v<T, float>;
  const Dropout<T> drop{.y = to, .x = from, .n = kN, .keep = 0.9F, .seed = 1, .a = 0, .b = 0};
  const Residual<T> forward{.y = out,
                            .x = stream,
                            .branch = grad,
                            .gamma = gamma,
                            .keep = keep,
                            .images = kImages,
                            .tokens = kTokens,
                            .cols = kCols};
  const ResidualBackward<T> backward{.dbranch = to,
                                     .dgamma = sums,
                                     .dy = stream,
                                     .branch = from,
                                     .gamma = gamma,
                                     .keep = keep,
                                     .images = kImages,
                                     .tokens = kTokens,
                                     .cols = kCols};

  if constexpr (kLadder)
    add("gelu", "std::erf", 2, 0,
        [=] { call_per_element(to, from, [](float x) { return 0.5F * x * (1 + std::erf(x * 0.70710678F)); }); });
  for (const Activation function : {Activation::gelu, Activation::silu}) {
    const std::string name = name_of(function);
    kernel(name, 2, 0, [=] { activate<T>(kCpu, {.y = to, .x = from, .n = kN, .function = function}); });
    kernel(name + "_backward", 3, 0,
           [=] { activate_backward<T>(kCpu, {.dx = to, .dy = grad, .x = from, .n = kN, .function = function}); });
  }
  const long half = kCols / 2;
  kernel("gate", 1.5, 0,
         [=] { gate<T>(kCpu, {.y = to, .x = from, .rows = kRows, .cols = half, .function = Activation::silu}); });
  kernel("gate_backward", 2.5, 0, [=] {
    gate_backward<T>(kCpu,
                     {.dx = to, .dy = grad, .x = from, .rows = kRows, .cols = half, .function = Activation::silu});
  });
  if constexpr (kLadder)
    add("tanh", "std::tanh", 2, 0, [=] { call_per_element(to, from, [](float x) { return std::tanh(x); }); });
  kernel("tanh", 2, 0, [=] { kernels::tanh<T>(kCpu, {.y = to, .x = from, .n = kN}); });
  kernel("tanh_backward", 3, 0, [=] { tanh_backward<T>(kCpu, {.dx = to, .dy = grad, .y = from, .n = kN}); });
  if constexpr (kLadder) add("dropout", "four at a time", 2, 0, [=] { dropout_one_by_one(drop); });
  kernel("dropout", 2, 0, [=] { dropout(kCpu, drop); });
  if constexpr (kLadder)
    add("column_sum", "down columns", 1, 0,
        [=] { down_columns(sums, [=](long r, long c) { return from[r * kCols + c]; }); });
  kernel("column_sum", 1, 0, [=] { column_sum<T>(kCpu, {.out = sums, .x = from, .rows = kRows, .cols = kCols}); });
  if constexpr (kLadder)
    add("residual_backward", "down columns", 3, 0, [=] {
      down_columns(sums, [=](long r, long c) {
        const long i = r * kCols + c;
        to[i] = stream[i] * gamma[c] * keep[r / kTokens];
        return stream[i] * from[i] * keep[r / kTokens];
      });
    });
  kernel("residual_backward", 2, 1, [=] { residual_backward(kCpu, backward); });
  kernel("residual", 1, 2, [=] { residual(kCpu, forward); });
  if constexpr (kLadder) {
    add("sum_of_squares", "in order", 1, 0, [=] { benchmark::DoNotOptimize(squares_in_order(from)); });
    kernel("sum_of_squares", 1, 0, [=] {
      double sum = 0;
      sum_of_squares<float>(kCpu, {.sum = &sum, .x = from, .n = kN});
      benchmark::DoNotOptimize(sum);
    });
  }
  kernel("add", 3, 0, [=] { kernels::add<T>(kCpu, {.y = to, .a = from, .b = grad, .n = kN, .period = kN}); });
  kernel("add in place", 3, 0, [=] { kernels::add<T>(kCpu, {.y = to, .a = to, .b = grad, .n = kN, .period = kN}); });
  kernel("add bias", 2, 0, [=] { kernels::add<T>(kCpu, {.y = to, .a = from, .b = bias, .n = kN, .period = kCols}); });
  kernel("scale", 2, 0, [=] { scale<T>(kCpu, {.y = to, .x = from, .n = kN, .scale = 1.5F}); });
  kernel("multiply", 3, 0, [=] { multiply<T>(kCpu, {.y = to, .a = from, .b = grad, .n = kN}); });
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Case> cases;
  add_cases<float>(cases);
  add_cases<bf16>(cases);
  return run_all(argc, argv, cases);
}
