// Which back end multiplies, and what BLAS libraries leave to separate loops. Row major: their leading dimension is the
// row length.
#include "kernels/gemm/gemm.h"

#include <cblas.h>
#ifdef KERNELS_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif

#include <algorithm>
#include <type_traits>

#include "kernels/choice.h"
#include "kernels/gemm/own.h"
#include "kernels/pointwise.h"
#include "kernels/simd/isa.h"

namespace kernels {
namespace {

const Choice<GemmBackend>& choice() {
  static const Choice<GemmBackend> made =
      choose("LOOKHERE_GEMM", isa() == Isa::portable ? GemmBackend::openblas : GemmBackend::own, kEveryGemmBackend,
             "LOOKHERE_GEMM: this build lacks the one it names", "LOOKHERE_GEMM: wanted own, openblas or onednn");
  return made;
}

void call_openblas(const Gemm<float>& p, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int lda, int ldb) {
  cblas_sgemm(CblasRowMajor, ta, tb, p.m, p.n, p.k, 1, p.a, lda, p.b, ldb, p.accumulate, p.c, p.n);
}
void call_openblas(const Gemm<double>& p, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int lda, int ldb) {
  cblas_dgemm(CblasRowMajor, ta, tb, p.m, p.n, p.k, 1, p.a, lda, p.b, ldb, p.accumulate, p.c, p.n);
}

template <class T>
void call_library(const Gemm<T>& p, GemmBackend backend) {
  if (p.m == 0 || p.n == 0) return;
  const bool ta = p.transpose_a == Transpose::yes, tb = p.transpose_b == Transpose::yes;
  const long lda = std::max(1L, ta ? p.m : p.k), ldb = std::max(1L, tb ? p.k : p.n);
#ifdef KERNELS_ONEDNN
  if constexpr (std::is_same_v<T, float>)
    if (backend == GemmBackend::onednn && p.k > 0) {
      dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', p.m, p.n, p.k, 1, p.a, lda, p.b, ldb, p.accumulate, p.c, p.n);
      return;
    }
#endif
  (void)backend;
  call_openblas(p, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, static_cast<int>(lda),
                static_cast<int>(ldb));
}

template <class T>
void library_linear(Cpu cpu, const Linear<T>& p, GemmBackend backend) {
  if (T* y = p.y ? p.y : p.activated) {
    if (p.b) parallel_for(p.rows, p.out, [&](long row) { std::copy_n(p.b, p.out, y + row * p.out); });
    call_library<T>({.c = y,
                     .a = p.x,
                     .b = p.w,
                     .m = p.rows,
                     .n = p.out,
                     .k = p.in,
                     .transpose_b = Transpose::yes,
                     .accumulate = p.b != nullptr},
                    backend);
    if (p.sum)
      residual<T>(cpu, {.y = p.sum,
                        .x = p.residual,
                        .branch = y,
                        .gamma = p.gamma,
                        .keep = p.keep,
                        .images = p.rows / p.tokens,
                        .tokens = p.tokens,
                        .cols = p.out});
    if (p.activated) activate<T>(cpu, {.y = p.activated, .x = y, .n = p.rows * p.out, .function = p.activation});
    return;
  }
  // The sum alone, whose place may hold the residual: block by block beside it.
  constexpr long kScratch = 1L << 16;
  T y[kScratch];
  const long most_columns = std::min(p.out, kScratch), most_rows = kScratch / std::max(1L, most_columns);
  for (long i = 0; i < p.rows; i += most_rows)
    for (long j = 0; j < p.out; j += most_columns) {
      const long rows = std::min(most_rows, p.rows - i), columns = std::min(most_columns, p.out - j);
      call_library<T>({.c = y,
                       .a = p.x + i * p.in,
                       .b = p.w + j * p.in,
                       .m = rows,
                       .n = columns,
                       .k = p.in,
                       .transpose_b = Transpose::yes},
                      backend);
      parallel_for(rows, columns, [&](long r) {
        const T keep = p.keep ? p.keep[(i + r) / p.tokens] : T(1);
        for (long c = 0; c < columns; ++c) {
          const T value = y[r * columns + c] + (p.b ? p.b[j + c] : T(0));
          const long at = (i + r) * p.out + j + c;
          p.sum[at] = p.residual[at] + (p.gamma ? p.gamma[j + c] : T(1)) * value * keep;
        }
      });
    }
}

template <class T>
void library_weight_gradient(const LinearWeightGradient<T>& p, GemmBackend backend) {
  call_library<T>({.c = p.dw,
                   .a = p.dy,
                   .b = p.x,
                   .m = p.out,
                   .n = p.in,
                   .k = p.rows,
                   .transpose_a = Transpose::yes,
                   .accumulate = p.accumulate},
                  backend);
  constexpr long kColumns = 64;
  if (p.db)
    parallel_for((p.out + kColumns - 1) / kColumns, p.rows * kColumns, [&](long block) {
      const long begin = block * kColumns, end = std::min(p.out, begin + kColumns);
      if (!p.accumulate) std::fill(p.db + begin, p.db + end, T(0));
      for (long r = 0; r < p.rows; ++r)
        for (long j = begin; j < end; ++j) p.db[j] += p.dy[r * p.out + j];
    });
}

}  // namespace

const char* name_of(GemmBackend backend) {
  switch (backend) {
    case GemmBackend::own:
      return "own";
    case GemmBackend::openblas:
      return "openblas";
    case GemmBackend::onednn:
      return "onednn";
  }
  return "?";
}

bool can_run(GemmBackend backend) {
#ifdef KERNELS_ONEDNN
  (void)backend;
  return true;
#else
  return backend != GemmBackend::onednn;
#endif
}

GemmBackend gemm_backend() { return choice().value; }
const char* gemm_problem() { return choice().problem; }

template <class T>
void gemm(Cpu cpu, const Gemm<T>& p, GemmBackend backend) {
  if constexpr (std::is_same_v<T, float>)
    if (backend == GemmBackend::own) return own_gemm(cpu, p);
  call_library(p, backend);
}

template <class T>
void linear(Cpu cpu, const Linear<T>& p, GemmBackend backend) {
  if constexpr (!std::is_same_v<T, double>)
    if (std::is_same_v<T, bf16> || backend == GemmBackend::own) return own_linear(cpu, p);
  if constexpr (!std::is_same_v<T, bf16>) library_linear(cpu, p, backend);
}

template <class T>
void linear_input_gradient(Cpu cpu, const LinearInputGradient<T>& p, GemmBackend backend) {
  if constexpr (!std::is_same_v<T, double>)
    if (std::is_same_v<T, bf16> || backend == GemmBackend::own) return own_linear_input_gradient(cpu, p);
  if constexpr (!std::is_same_v<T, bf16>) {
    call_library<T>({.c = p.dx, .a = p.dy, .b = p.w, .m = p.rows, .n = p.in, .k = p.out}, backend);
    if (p.pre)
      activate_backward<T>(cpu, {.dx = p.dx, .dy = p.dx, .x = p.pre, .n = p.rows * p.in, .function = p.activation});
  }
}

template <class T>
void linear_weight_gradient(Cpu cpu, const LinearWeightGradient<T>& p, GemmBackend backend) {
  if constexpr (!std::is_same_v<T, double>)
    if (std::is_same_v<T, bf16> || backend == GemmBackend::own) return own_linear_weight_gradient(cpu, p);
  if constexpr (!std::is_same_v<T, bf16>) library_weight_gradient(p, backend);
}

template void gemm(Cpu, const Gemm<float>&, GemmBackend);
template void gemm(Cpu, const Gemm<double>&, GemmBackend);
template void linear(Cpu, const Linear<float>&, GemmBackend);
template void linear(Cpu, const Linear<double>&, GemmBackend);
template void linear(Cpu, const Linear<bf16>&, GemmBackend);
template void linear_input_gradient(Cpu, const LinearInputGradient<float>&, GemmBackend);
template void linear_input_gradient(Cpu, const LinearInputGradient<double>&, GemmBackend);
template void linear_input_gradient(Cpu, const LinearInputGradient<bf16>&, GemmBackend);
template void linear_weight_gradient(Cpu, const LinearWeightGradient<float>&, GemmBackend);
template void linear_weight_gradient(Cpu, const LinearWeightGradient<double>&, GemmBackend);
template void linear_weight_gradient(Cpu, const LinearWeightGradient<bf16>&, GemmBackend);

}  // namespace kernels
