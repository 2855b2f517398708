// The matrix product's ladder: three loops, loops in an order that vectorises, a register tile, then packed panels and
// cache blocks (own), beside BLAS libraries; after it the shapes of ViT layers, forward (NT), back to the input (NN)
// and to the weights (TN): ViT-Ti at 65 and 197 tokens, ViT-S and ViT-B at 197, nano at 50; last, classifiers.
#include "kernels/gemm/gemm.h"

#include <cstdlib>

#include "kernels/bench/bench.h"
#include "kernels/simd/register_tile.h"

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

// kernels/simd/register_tile.h holds a tile of C in registers; the blocks of B stay in the caches; rows are split over
// threads. The columns must fill vectors.
void tiles_in_registers(const Gemm<float>& p) {
  constexpr long kRowBlock = 48, kSteps = 256, kColumns = 256;
  std::fill_n(p.c, p.m * p.n, 0.F);
  const auto multiply_block = [&](long row, long rows, long step, long steps, long column, long columns) {
    for_each_column_tile(columns / kLanes<float>, [&]<int kVectors>(long vector) {
      const float* b = p.b + step * p.n + column + vector * kLanes<float>;
      for_each_row_tile<kRowsBeside<kVectors>>(rows, [&]<int kRows>(long r) {
        const float* a = p.a + (row + r) * p.k + step;
        float* c = p.c + (row + r) * p.n + column + vector * kLanes<float>;
        register_tile<float, kRows, kVectors>(
            steps, [&](int i, long k) { return a[i * p.k + k]; }, [&](long k) { return b + k * p.n; },
            [&](int i, int v) { return load(c + i * p.n + v * kLanes<float>); },
            [&](int i, int v, Vector<float> x) { store(c + i * p.n + v * kLanes<float>, x); });
      });
    });
  };
  parallel_for((p.m + kRowBlock - 1) / kRowBlock, kRowBlock * p.n * p.k, [&](long block) {
    const long row = block * kRowBlock;
    for (long k = 0; k < p.k; k += kSteps)
      for (long j = 0; j < p.n; j += kColumns)
        multiply_block(row, std::min(kRowBlock, p.m - row), k, std::min(kSteps, p.k - k), j,
                       std::min(kColumns, p.n - j));
  });
}

// Operands for every case alike, large enough for the largest, in huge pages as the library's own memory is.
template <class T>
T* values(int seed) {
  constexpr long kMost = 8320L * 3072;
  T* memory = HugePages<T>().allocate(kMost);
  const Values<float> random = random_values(1L << 16, seed);
  for (long i = 0; i < kMost; ++i) memory[i] = static_cast<T>(random[i & 0xffff]);
  return memory;
}
template <class T>
struct Operands {
  T *a = values<T>(1), *b = values<T>(2), *c = values<T>(3), *d = values<T>(4);
};

struct Shape {
  const char* transposes;
  long m, n, k;
};
const Shape kShapes[] = {
    {"NN", 1576, 768, 192},  {"NN", 1576, 192, 768},  {"NN", 1576, 1536, 384}, {"NN", 1576, 384, 1536},
    {"NN", 1576, 3072, 768}, {"NN", 1576, 768, 3072}, {"NN", 6304, 768, 192},  {"NN", 6304, 576, 192},
    {"NN", 6304, 192, 768},  {"NN", 8320, 768, 192},  {"NN", 8320, 192, 768},  {"NN", 8320, 192, 192},
    {"NN", 3200, 384, 96},   {"NN", 3200, 96, 384},   {"NT", 1576, 768, 192},  {"NT", 1576, 3072, 768},
    {"NT", 1576, 768, 3072}, {"NT", 6304, 768, 192},  {"NT", 8320, 192, 768},  {"NT", 8320, 192, 192},
    {"NT", 3200, 384, 96},   {"TN", 192, 192, 8320},  {"TN", 192, 768, 8320},  {"TN", 768, 192, 8320},
    {"TN", 384, 1536, 1576}, {"TN", 768, 3072, 1576}, {"TN", 3072, 768, 1576}, {"TN", 96, 384, 3200}};

// Few rows or few columns: the classifier of one image, of a batch of 8 and of 128, forward and backward.
const Shape kHeadShapes[] = {{"NT", 1, 1000, 768}, {"NT", 8, 1000, 384}, {"NT", 128, 10, 192}, {"NN", 8, 384, 1000},
                             {"NN", 128, 192, 10}, {"TN", 1000, 384, 8}, {"TN", 10, 192, 128}};

Case make_case(const Shape& s, const std::string& rung, const std::function<void()>& run) {
  return {.kernel = "gemm",
          .rung = rung,
          .shape = std::string(s.transposes) + " " + std::to_string(s.m) + " x " + std::to_string(s.n) + " x " +
                   std::to_string(s.k),
          .flops = 2.0 * static_cast<double>(s.m * s.n * s.k),
          .run = run};
}

Gemm<float> gemm_of(const Shape& s, const Operands<float>& o) {
  return {.c = o.c,
          .a = o.a,
          .b = o.b,
          .m = s.m,
          .n = s.n,
          .k = s.k,
          .transpose_a = s.transposes[0] == 'T' ? Transpose::yes : Transpose::no,
          .transpose_b = s.transposes[1] == 'T' ? Transpose::yes : Transpose::no};
}

// y = x·Wᵀ + b and GELU(y), both stored
template <class T>
void bias_gelu(const Shape& s, const Operands<T>& o, const float* w) {
  linear<T>(Cpu{}, {.y = o.c, .activated = o.d, .x = o.a, .w = w, .b = w, .rows = s.m, .in = s.k, .out = s.n},
            GemmBackend::own);
}
// What a linear layer does with this shape in bf16.
void bf16_layer(const Shape& s, const Operands<bf16>& o, const Operands<float>& f) {
  if (s.transposes[0] == 'T')
    linear_weight_gradient<bf16>(Cpu{}, {.dw = f.c, .dy = o.a, .x = o.b, .rows = s.k, .in = s.n, .out = s.m});
  else if (s.transposes[1] == 'T')
    linear<bf16>(Cpu{}, {.y = o.c, .x = o.a, .w = f.b, .b = f.d, .rows = s.m, .in = s.k, .out = s.n});
  else
    linear_input_gradient<bf16>(Cpu{}, {.dx = o.c, .dy = o.a, .w = f.b, .rows = s.m, .in = s.n, .out = s.k});
}

}  // namespace

int main(int argc, char** argv) {
  static const Operands<float> f;
  static const Operands<bf16> h;
  std::vector<Case> cases;
  const auto add = [&](const Shape& s, const std::string& rung, const std::function<void()>& run,
                       const std::string& group = "", const std::string& dtype = "f32") {
    cases.push_back(make_case(s, rung, run));
    cases.back().group = group, cases.back().dtype = dtype;
  };
  const auto add_backends = [&](const Shape& s, const std::string& group) {
    const std::pair<GemmBackend, const char*> rungs[] = {
        {GemmBackend::openblas, "OpenBLAS"}, {GemmBackend::onednn, "oneDNN"}, {GemmBackend::own, "own"}};
    for (const auto& [backend, rung] : rungs)
      if (can_run(backend))
        add(
            s, rung, [s, b = backend] { gemm(Cpu{}, gemm_of(s, f), b); }, group);
  };
  const std::pair<const char*, void (*)(const Gemm<float>&)> ladder[] = {
      {"three loops", three_loops}, {"row order", row_order}, {"register tile", tiles_in_registers}};
  const Shape cube{"NN", 384, 384, 384};
  for (const auto& [rung, run] : ladder) add(cube, rung, [cube, r = run] { r(gemm_of(cube, f)); });
  add_backends(cube, "");
  for (const Shape& s : kShapes) {
    const std::string group = s.transposes[0] == 'T' ? "TN" : "NN+NT";
    add_backends(s, group);
    if (s.transposes[1] == 'T')
      add(
          s, "own, bias+GELU", [s] { bias_gelu(s, f, f.b); }, "NT");
    add(
        s, "own, bf16", [s] { bf16_layer(s, h, f); }, group, "bf16");
    if (s.transposes[1] == 'T')
      add(
          s, "own, bf16 +GELU", [s] { bias_gelu(s, h, f.b); }, "NT", "bf16");
  }
  for (const Shape& s : kHeadShapes) add_backends(s, "heads");
  return run_all(argc, argv, cases);
}
