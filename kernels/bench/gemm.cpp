// The matrix product's ladder: three loops, loops in an order that vectorises, a register tile, and BLAS; then BLAS at
// the shapes of ViT-B (8 images of 224 px) and of nano (128 images of 28 px), forward and for both gradients.
#include "kernels/gemm.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

// C = A·B as the formula says it: B is read by columns, so every step loads a whole cache line for one value.
void three_loops(const Gemm<float>& p) {
  for (long i = 0; i < p.m; ++i)
    for (long j = 0; j < p.n; ++j) {
      float sum = 0;
      for (long k = 0; k < p.k; ++k) sum += p.a[i * p.k + k] * p.b[k * p.n + j];
      p.c[i * p.n + j] = sum;
    }
}

// The same sums, row by row: the inner loop runs along rows of B and C and vectorises.
void row_order(const Gemm<float>& p) {
  std::fill_n(p.c, p.m * p.n, 0.F);
  for (long i = 0; i < p.m; ++i)
    for (long k = 0; k < p.k; ++k) {
      const float a = p.a[i * p.k + k];
      for (long j = 0; j < p.n; ++j) p.c[i * p.n + j] += a * p.b[k * p.n + j];
    }
}

// kernels/tile.h holds a tile of C in registers; the blocks of B stay in the caches; rows are split over threads.
void register_tile(const Gemm<float>& p) {
  constexpr long kRows = 48, kSteps = 256, kColumns = 256;
  std::fill_n(p.c, p.m * p.n, 0.F);
  parallel_for((p.m + kRows - 1) / kRows, kRows * p.n * p.k, [&](long block) {
    const long row = block * kRows, rows = std::min(kRows, p.m - row);
    for (long k = 0; k < p.k; k += kSteps)
      for (long j = 0; j < p.n; j += kColumns)
        tile_product<float>({.c = p.c + row * p.n + j,
                             .c_row = p.n,
                             .a = p.a + row * p.k + k,
                             .a_row = p.k,
                             .a_k = 1,
                             .b = p.b + k * p.n + j,
                             .b_row = p.n,
                             .m = rows,
                             .n = std::min(kColumns, p.n - j),
                             .k = std::min(kSteps, p.k - k)});
  });
}

using Run = std::function<void(const Gemm<float>&)>;

Case make_case(const std::string& rung, const std::string& layer, long m, long n, long k, Transpose ta, Transpose tb,
               const Run& run) {
  struct Memory {
    std::vector<float> a, b, c;
  };
  const auto memory = std::make_shared<Memory>(
      Memory{.a = random_values(m * k), .b = random_values(k * n, 2), .c = std::vector<float>(m * n)});
  const Gemm<float> p{.c = memory->c.data(),
                      .a = memory->a.data(),
                      .b = memory->b.data(),
                      .m = m,
                      .n = n,
                      .k = k,
                      .transpose_a = ta,
                      .transpose_b = tb};
  return {.kernel = "gemm",
          .rung = rung,
          .shape = layer + std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k),
          .flops = 2.0 * static_cast<double>(m * n * k),
          .run = [=, keep = memory] { run(p); }};
}

}  // namespace

int main(int argc, char** argv) {
  const Run blas = [](const Gemm<float>& p) { gemm(Cpu{}, p); };
  constexpr Transpose kNo = Transpose::no, kYes = Transpose::yes;
  std::vector<Case> cases{make_case("three loops", "", 384, 384, 384, kNo, kNo, three_loops),
                          make_case("row order", "", 384, 384, 384, kNo, kNo, row_order),
                          make_case("register tile", "", 384, 384, 384, kNo, kNo, register_tile),
                          make_case("BLAS", "", 384, 384, 384, kNo, kNo, blas),
                          make_case("register tile", "", 1576, 768, 768, kNo, kNo, register_tile),
                          make_case("BLAS", "", 1576, 768, 768, kNo, kNo, blas)};
  // One linear layer: y = x·Wᵀ, dx = dy·W, dW = dyᵀ·x.
  const auto add_layer = [&](const std::string& name, long rows, long in, long out) {
    cases.push_back(make_case("BLAS", name + " y ", rows, out, in, kNo, kYes, blas));
    cases.push_back(make_case("BLAS", name + " dx ", rows, in, out, kNo, kNo, blas));
    cases.push_back(make_case("BLAS", name + " dW ", out, in, rows, kYes, kNo, blas));
  };
  add_layer("B qkv", 1576, 768, 2304);
  add_layer("B proj", 1576, 768, 768);
  add_layer("B fc1", 1576, 768, 3072);
  add_layer("B fc2", 1576, 3072, 768);
  add_layer("nano qkv", 6400, 96, 288);
  add_layer("nano fc1", 6400, 96, 192);
  return run_all(argc, argv, cases);
}
