// Matrix products through CBLAS. Row major: BLAS' leading dimension is the row length.
#include "kernels/gemm.h"

#include <cblas.h>

#include <algorithm>

namespace kernels {
namespace {

void call_blas(const Gemm<float>& p, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int lda, int ldb) {
  cblas_sgemm(CblasRowMajor, ta, tb, p.m, p.n, p.k, 1, p.a, lda, p.b, ldb, p.accumulate, p.c, p.n);
}
void call_blas(const Gemm<double>& p, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int lda, int ldb) {
  cblas_dgemm(CblasRowMajor, ta, tb, p.m, p.n, p.k, 1, p.a, lda, p.b, ldb, p.accumulate, p.c, p.n);
}

}  // namespace

template <class T>
void gemm(Cpu, const Gemm<T>& p) {
  if (p.m == 0 || p.n == 0) return;
  const bool ta = p.transpose_a == Transpose::yes, tb = p.transpose_b == Transpose::yes;
  call_blas(p, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, static_cast<int>(ta ? p.m : p.k),
            static_cast<int>(tb ? p.k : p.n));
}

template <class T>
void linear(Cpu cpu, const Linear<T>& p) {
  if (p.b) parallel_for(p.rows, p.out, [&](long row) { std::copy_n(p.b, p.out, p.y + row * p.out); });
  gemm<T>(cpu, {.c = p.y,
                .a = p.x,
                .b = p.w,
                .m = p.rows,
                .n = p.out,
                .k = p.in,
                .transpose_b = Transpose::yes,
                .accumulate = p.b != nullptr});
}

template void gemm(Cpu, const Gemm<float>&);
template void gemm(Cpu, const Gemm<double>&);
template void linear(Cpu, const Linear<float>&);
template void linear(Cpu, const Linear<double>&);

}  // namespace kernels
