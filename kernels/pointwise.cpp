// Element-wise kernels on the CPU: one loop each, written so that the compiler vectorises it.
#include "kernels/pointwise.h"

#include <Random123/philox.h>

#include <algorithm>
#include <cmath>

#include "kernels/vector_math.h"

namespace kernels {
namespace {

constexpr long kColumns = 64;  // columns per work item of a column-wise sum: a few cache lines of every row

}  // namespace

template <class T>
void add(Cpu, const Add<T>& p) {
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
void scale(Cpu, const Scale<T>& p) {
  parallel_blocks(p.n, [=](long begin, long end) {
    if (p.accumulate)
      for (long i = begin; i < end; ++i) p.y[i] += p.scale * p.x[i];
    else
      for (long i = begin; i < end; ++i) p.y[i] = p.scale * p.x[i];
  });
}

template <class T>
void multiply(Cpu, const Multiply<T>& p) {
  parallel_blocks(p.n, [&](long begin, long end) {
    for (long i = begin; i < end; ++i) p.y[i] = p.a[i] * p.b[i];
  });
}

template <class T>
void column_sum(Cpu, const ColumnSum<T>& p) {
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
double sum_of_squares(Cpu, const T* x, long n) {
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
  double total = 0;
  for (double sum : part) total += sum;
  return total;
}

template <class T>
void gelu(Cpu, const Gelu<T>& p) {
  parallel_blocks(
      p.n,
      [&](long begin, long end) {
        for (long i = begin; i < end; ++i) p.y[i] = p.x[i] * normal(p.x[i]).cdf;
      },
      8);
}

template <class T>
void gelu_backward(Cpu, const GeluBackward<T>& p) {
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
void tanh(Cpu, const Tanh<T>& p) {
  parallel_blocks(
      p.n,
      [&](long begin, long end) {
        for (long i = begin; i < end; ++i) p.y[i] = std::tanh(p.x[i]);
      },
      16);
}

template <class T>
void tanh_backward(Cpu, const TanhBackward<T>& p) {
  parallel_blocks(p.n, [&](long begin, long end) {
    for (long i = begin; i < end; ++i) p.dx[i] = p.dy[i] * (1 - p.y[i] * p.y[i]);
  });
}

template <class T>
void dropout(Cpu, const Dropout<T>& p) {
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
void residual(Cpu, const Residual<T>& p) {
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
void residual_backward(Cpu, const ResidualBackward<T>& p) {
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

#define INSTANTIATE(T)                                      \
  template void add(Cpu, const Add<T>&);                    \
  template void scale(Cpu, const Scale<T>&);                \
  template void multiply(Cpu, const Multiply<T>&);          \
  template void column_sum(Cpu, const ColumnSum<T>&);       \
  template double sum_of_squares(Cpu, const T*, long);      \
  template void gelu(Cpu, const Gelu<T>&);                  \
  template void gelu_backward(Cpu, const GeluBackward<T>&); \
  template void tanh(Cpu, const Tanh<T>&);                  \
  template void tanh_backward(Cpu, const TanhBackward<T>&); \
  template void dropout(Cpu, const Dropout<T>&);            \
  template void residual(Cpu, const Residual<T>&);          \
  template void residual_backward(Cpu, const ResidualBackward<T>&)
INSTANTIATE(float);
INSTANTIATE(double);

}  // namespace kernels
