// Element-wise kernels on the CPU: one loop each, written so that the compiler vectorises it.
#include "kernels/pointwise.h"

#include <Random123/philox.h>

#include <algorithm>
#include <cmath>

#include "kernels/isa.h"
#include "kernels/vector_math.h"

namespace kernels {
namespace KERNELS_ISA {
namespace {

constexpr long kColumns = 64;  // columns per work item of a column-wise sum: a few cache lines of every row

}  // namespace

template <class T>
void add(const Add<T>& p) {
  if (p.period == p.n)
    return parallel_blocks(p.n, [&](long begin, long end) {
      for (long i = begin; i < end; ++i) p.y[i] = p.a[i] + p.b[i];
    });
  parallel_for(p.n / p.period, p.period, [&](long row) {
    T* y = p.y + row * p.period;
    const T* a = p.a + row * p.period;
    for (long i = 0; i < p.period; ++i) y[i] = a[i] + p.b[i];
  });
}

template <class T>
void scale(const Scale<T>& p) {
  parallel_blocks(p.n, [=](long begin, long end) {
    if (p.accumulate)
      for (long i = begin; i < end; ++i) p.y[i] += p.scale * p.x[i];
    else
      for (long i = begin; i < end; ++i) p.y[i] = p.scale * p.x[i];
  });
}

template <class T>
void multiply(const Multiply<T>& p) {
  parallel_blocks(p.n, [&](long begin, long end) {
    for (long i = begin; i < end; ++i) p.y[i] = p.a[i] * p.b[i];
  });
}

template <class T>
void column_sum(const ColumnSum<T>& p) {
  parallel_for((p.cols + kColumns - 1) / kColumns, p.rows * kColumns, [&](long block) {
    const long begin = block * kColumns, width = std::min(kColumns, p.cols - begin);
    Acc<T> sum[kColumns] = {};
    for (long r = 0; r < p.rows; ++r) {
      const T* row = p.x + r * p.cols + begin;
      for (long c = 0; c < width; ++c) sum[c] += row[c];
    }
    std::copy_n(sum, width, p.out + begin);
  });
}

template <class T>
void sum_of_squares(const SumOfSquares<T>& p) {
  const T* x = p.x;
  const long n = p.n;
  constexpr long kParts = 64;  // fixed, so that the sum does not depend on the number of threads
  double part[kParts];
  const long size = (n + kParts - 1) / kParts;
  parallel_for(kParts, size, [&](long i) {
    double sum = 0;
    const long begin = std::min(n, i * size), end = std::min(n, begin + size);
#pragma omp simd reduction(+ : sum)
    for (long k = begin; k < end; ++k) sum += static_cast<double>(x[k]) * static_cast<double>(x[k]);
    part[i] = sum;
  });
  *p.sum = 0;
  for (double sum : part) *p.sum += sum;
}

template <class T>
void gelu(const Gelu<T>& p) {
  parallel_blocks(
      p.n,
      [&](long begin, long end) {
        for (long i = begin; i < end; ++i) p.y[i] = p.x[i] * normal(p.x[i]).cdf;
      },
      8);
}

template <class T>
void gelu_backward(const GeluBackward<T>& p) {
  parallel_blocks(
      p.n,
      [&](long begin, long end) {
        for (long i = begin; i < end; ++i) {
          const Normal<T> n = normal(p.x[i]);
          p.dx[i] = p.dy[i] * (n.cdf + p.x[i] * n.density);
        }
      },
      8);
}

template <class T>
void tanh(const Tanh<T>& p) {
  parallel_blocks(
      p.n,
      [&](long begin, long end) {
        for (long i = begin; i < end; ++i) p.y[i] = std::tanh(p.x[i]);
      },
      16);
}

template <class T>
void tanh_backward(const TanhBackward<T>& p) {
  parallel_blocks(p.n, [&](long begin, long end) {
    for (long i = begin; i < end; ++i) p.dx[i] = p.dy[i] * (1 - p.y[i] * p.y[i]);
  });
}

template <class T>
void dropout(const Dropout<T>& p) {
  const r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(p.seed), static_cast<std::uint32_t>(p.seed >> 32)}};
  const T scale = T(1) / static_cast<T>(p.keep);
  parallel_blocks(
      p.n,
      [&](long begin, long end) {
        for (long i = begin; i < end; i += 4) {  // blocks start at multiples of four: one Philox call per four elements
          const r123::Philox4x32::ctr_type counter{
              {static_cast<std::uint32_t>(i / 4), static_cast<std::uint32_t>((i / 4) >> 32), p.a, p.b}};
          const auto bits = r123::Philox4x32()(counter, key);
          for (long k = i; k < std::min(i + 4, end); ++k)
            p.y[k] = static_cast<float>(bits[k - i] >> 8) * 0x1p-24F < p.keep ? p.x[k] * scale : T(0);
        }
      },
      8);
}

template <class T>
void residual(const Residual<T>& p) {
  parallel_for(p.images * p.tokens, p.cols, [&](long row) {
    const T keep = p.keep ? p.keep[row / p.tokens] : T(1);
    T* y = p.y + row * p.cols;
    const T *x = p.x + row * p.cols, *branch = p.branch + row * p.cols;
    if (p.gamma)
      for (long c = 0; c < p.cols; ++c) y[c] = x[c] + p.gamma[c] * branch[c] * keep;
    else
      for (long c = 0; c < p.cols; ++c) y[c] = x[c] + branch[c] * keep;
  });
}

template <class T>
void residual_backward(const ResidualBackward<T>& p) {
  const long rows = p.images * p.tokens;
  // Column blocks rather than rows: dγ is then summed by one thread in a fixed order.
  parallel_for((p.cols + kColumns - 1) / kColumns, rows * kColumns, [&](long block) {
    const long begin = block * kColumns, width = std::min(kColumns, p.cols - begin);
    T sum[kColumns] = {}, gamma[kColumns];
    for (long c = 0; c < width; ++c) gamma[c] = p.gamma ? p.gamma[begin + c] : T(1);
    for (long row = 0; row < rows; ++row) {
      const T keep = p.keep ? p.keep[row / p.tokens] : T(1);
      const T *dy = p.dy + row * p.cols + begin, *branch = p.branch + row * p.cols + begin;
      T* dbranch = p.dbranch + row * p.cols + begin;
      for (long c = 0; c < width; ++c) {
        dbranch[c] = dy[c] * gamma[c] * keep;
        sum[c] += dy[c] * branch[c] * keep;
      }
    }
    if (p.dgamma) std::copy_n(sum, width, p.dgamma + begin);
  });
}

}  // namespace KERNELS_ISA

KERNEL(add, Add, float);
KERNEL(add, Add, double);
KERNEL(scale, Scale, float);
KERNEL(scale, Scale, double);
KERNEL(multiply, Multiply, float);
KERNEL(multiply, Multiply, double);
KERNEL(column_sum, ColumnSum, float);
KERNEL(column_sum, ColumnSum, double);
KERNEL(sum_of_squares, SumOfSquares, float);
KERNEL(sum_of_squares, SumOfSquares, double);
KERNEL(gelu, Gelu, float);
KERNEL(gelu, Gelu, double);
KERNEL(gelu_backward, GeluBackward, float);
KERNEL(gelu_backward, GeluBackward, double);
KERNEL(tanh, Tanh, float);
KERNEL(tanh, Tanh, double);
KERNEL(tanh_backward, TanhBackward, float);
KERNEL(tanh_backward, TanhBackward, double);
KERNEL(dropout, Dropout, float);
KERNEL(dropout, Dropout, double);
KERNEL(residual, Residual, float);
KERNEL(residual, Residual, double);
KERNEL(residual_backward, ResidualBackward, float);
KERNEL(residual_backward, ResidualBackward, double);

}  // namespace kernels
