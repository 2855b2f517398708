// Element-wise kernels on the CPU: one pass over memory each.
#include "kernels/pointwise.h"

#include <cmath>

#include "kernels/simd/map.h"
#include "kernels/simd/math.h"
#include "kernels/simd/philox.h"
#include "kernels/simd/rows.h"

namespace kernels {
namespace KERNELS_ISA {

template <class T>
void add(const Add<T>& p) {
  const auto sum = [](Acc<T> a, Acc<T> b) { return a + b; };
  if (p.period == p.n) return map<T>(p.n, 1, p.y, sum, p.a, p.b);
  parallel_for(p.n / p.period, p.period,
               [=](long row) { map_block<T>(p.period, p.y + row * p.period, sum, p.a + row * p.period, p.b); });
}

template <class T>
void fill(const Fill<T>& p) {
  parallel_blocks(p.n, [=](long begin, long end) {
    for (long i = begin; i < end; ++i) p.y[i] = p.value;
  });
}

template <class T>
void scale(const Scale<T>& p) {
  const Acc<T> factor = p.times ? p.scale * *p.times : p.scale;
  if (p.accumulate)
    map<T>(
        p.n, 1, p.y, [=](Acc<T> y, Acc<T> x) { return y + factor * x; }, p.y, p.x);
  else
    map<T>(
        p.n, 1, p.y, [=](Acc<T> x) { return factor * x; }, p.x);
}

template <class T>
void multiply(const Multiply<T>& p) {
  map<T>(
      p.n, 1, p.y, [](Acc<T> a, Acc<T> b) { return a * b; }, p.a, p.b);
}

template <class T>
void tanh(const Tanh<T>& p) {
  map<T>(
      p.n, 8, p.y, [](Acc<T> x) { return fast_tanh(x); }, p.x);
}

template <class T>
void tanh_backward(const TanhBackward<T>& p) {
  map<T>(
      p.n, 1, p.dx, [](Acc<T> dy, Acc<T> y) { return dy * (1 - y * y); }, p.dy, p.y);
}

template <class T>
void waves(const Waves<T>& p) {
  parallel_for(p.rows, 64 * p.cols, [=](long row) {
    const T* x = p.x + row * p.cols;
    T *const cos = p.y + 2 * row * p.cols, *const sin = cos + p.cols;
    for (long c = 0; c < p.cols; ++c) {
      cos[c] = static_cast<T>(std::cos(static_cast<Acc<T>>(x[c])));
      sin[c] = static_cast<T>(std::sin(static_cast<Acc<T>>(x[c])));
    }
  });
}

template <class T>
void waves_backward(const WavesBackward<T>& p) {
  parallel_for(p.rows, p.cols, [=](long row) {
    const T *dcos = p.dy + 2 * row * p.cols, *dsin = dcos + p.cols, *cos = p.y + 2 * row * p.cols, *sin = cos + p.cols;
    for (long c = 0; c < p.cols; ++c)
      p.dx[row * p.cols + c] = static_cast<T>(static_cast<Acc<T>>(cos[c]) * static_cast<Acc<T>>(dsin[c]) -
                                              static_cast<Acc<T>>(sin[c]) * static_cast<Acc<T>>(dcos[c]));
  });
}

template <class T>
void column_sum(const ColumnSum<T>& p) {
  using A = Acc<T>;
  // Few columns would leave most lanes empty, so that many rows are taken for one.
  constexpr long kFew = 16, kTogether = 64;
  if (p.cols < kFew && p.rows >= 2 * kTogether) {
    A wide[kFew * kTogether];
    column_sum<T>({.out = wide, .x = p.x, .rows = p.rows / kTogether, .cols = kTogether * p.cols});
    for (long c = 0; c < p.cols; ++c) {
      A sum = 0;
      for (long r = 0; r < kTogether; ++r) sum += wide[r * p.cols + c];
      for (long r = p.rows / kTogether * kTogether; r < p.rows; ++r) sum += static_cast<A>(p.x[r * p.cols + c]);
      p.out[c] = p.accumulate ? p.out[c] + sum : sum;
    }
    return;
  }
  sum_rows<1, A>(p.rows, p.cols, 1, {p.out}, p.accumulate, [=](long begin, long end, A* const* sums) {
    const auto add_rows = [=]<long kRows>(const T* x, std::integral_constant<long, kRows>) {
      for_each_vector<A>(p.cols, [=, sum = sums[0]](long c, auto lanes) {
        Vector<A> total = load_as<A>(x + c, lanes);
#pragma GCC unroll 8
        for (long r = 1; r < kRows; ++r) total += load_as<A>(x + r * p.cols + c, lanes);
        store_as(sum + c, load_as<A>(sum + c, lanes) + total, lanes);
      });
    };
    constexpr long kRows = 8;  // at once: the sums are loaded less often, and more of memory is on its way
    long r = begin;
    for (; r + kRows <= end; r += kRows) add_rows(p.x + r * p.cols, std::integral_constant<long, kRows>());
    for (; r < end; ++r) add_rows(p.x + r * p.cols, std::integral_constant<long, 1>());
  });
}

template <class T>
void sum_of_squares(const SumOfSquares<T>& p) {
  constexpr long kParts = 64;  // fixed, so that the sum does not depend on the number of threads
  double part[kParts];
  const long size = (p.n + kParts - 1) / kParts;
  parallel_for(kParts, size, [&part, size, p](long i) {
    const long begin = smaller(p.n, i * size), end = smaller(p.n, begin + size);
    part[i] = sum_vectors<double>(end - begin, [x = p.x + begin](long k, auto lanes) {
      const Vector<double> value = load_as<double>(x + k, lanes);
      return value * value;
    });
  });
  *p.sum = 0;
  for (const double sum : part) *p.sum += sum;
}

template <class T>
void dropout(const Dropout<T>& p) {
  using A = Acc<T>;
  const Philox random{p.seed, p.live_a ? static_cast<std::uint32_t>(*p.live_a) : p.a, p.b};
  const A scale = A(1) / static_cast<A>(p.keep);
  // word / 2^32 < keep, cut to the 24 bits of a float: as whole numbers.
  const auto limit = static_cast<std::int32_t>(std::ceil(p.keep * 0x1p24F));
  parallel_blocks(
      p.n,
      [=](long begin, long end) {
        constexpr long kWords = 4 * Philox::kCounters;
        for (long i = begin; i < end; i += kWords) {  // blocks start at multiples of four: four words per counter
          std::uint32_t words[kWords];
          A kept[kWords];
          random.generate(words, static_cast<std::uint64_t>(i / 4));
          for (long k = 0; k < kWords; ++k) kept[k] = static_cast<std::int32_t>(words[k] >> 8) < limit ? A(1) : A(0);
          for_each_vector<A>(smaller(kWords, end - i), [&](long k, auto lanes) {
            const Vector<A> zero = {};
            store_as(p.y + i + k, load(kept + k) != zero ? load_as<A>(p.x + i + k, lanes) * scale : zero, lanes);
          });
        }
      },
      4);
}

template <class T>
void drop_path(const DropPath<T>& p) {
  const Philox random{p.seed, p.live_a ? static_cast<std::uint32_t>(*p.live_a) : p.a, p.purpose};
  constexpr long kWords = 4 * Philox::kCounters;
  for (long begin = 0; begin < p.n; begin += kWords) {
    std::uint32_t words[kWords];
    random.generate(words, std::uint64_t{p.b} << 32 | static_cast<std::uint64_t>(begin / 4));
    for (long i = begin; i < smaller(p.n, begin + kWords); ++i)
      p.y[i] = static_cast<T>((words[i - begin] >> 8) * 0x1p-24 < p.p ? 0 : 1 / (1 - p.p));
  }
}

template <class T>
void residual(const Residual<T>& p) {
  using A = Acc<T>;
  parallel_for(p.images * p.tokens, p.cols, [=](long row) {
    const A keep = p.keep ? p.keep[row / p.tokens] : A(1);
    const A *x = p.x + row * p.cols, *gamma = p.gamma;
    const T* branch = p.branch + row * p.cols;
    A* y = p.y + row * p.cols;
    for_each_vector<A>(p.cols, [=](long c, auto lanes) {
      Vector<A> b = load_as<A>(branch + c, lanes);
      if (gamma) b *= load_as<A>(gamma + c, lanes);
      store_as(y + c, load_as<A>(x + c, lanes) + b * keep, lanes);
    });
  });
}

template <class T>
void residual_backward(const ResidualBackward<T>& p) {
  using A = Acc<T>;
  const auto do_row = [=](long row, A* dgamma) {
    const A keep = p.keep ? p.keep[row / p.tokens] : A(1);
    const A *dy = p.dy + row * p.cols, *gamma = p.gamma;
    const T* branch = p.branch + row * p.cols;
    T* dbranch = p.dbranch + row * p.cols;
    for_each_vector<A>(p.cols, [=](long c, auto lanes) {
      const Vector<A> d = load_as<A>(dy + c, lanes) * keep;
      store_as(dbranch + c, gamma ? d * load_as<A>(gamma + c, lanes) : d, lanes);
      if (dgamma) store_as(dgamma + c, load_as<A>(dgamma + c, lanes) + d * load_as<A>(branch + c, lanes), lanes);
    });
  };
  const long rows = p.images * p.tokens;
  if (!p.dgamma) return parallel_for(rows, p.cols, [=](long row) { do_row(row, nullptr); });
  sum_rows<1, A>(rows, p.cols, 2, {p.dgamma}, p.accumulate, [=](long begin, long end, A* const* sums) {
    for (long row = begin; row < end; ++row) do_row(row, sums[0]);
  });
}

}  // namespace KERNELS_ISA

KERNELS(add, Add);
KERNELS(fill, Fill);
KERNEL(fill, Fill, std::int64_t);
KERNELS(scale, Scale);
KERNELS(multiply, Multiply);
KERNELS(column_sum, ColumnSum);
KERNELS(tanh, Tanh);
KERNELS(tanh_backward, TanhBackward);
KERNELS(waves, Waves);
KERNELS(waves_backward, WavesBackward);
KERNELS(dropout, Dropout);
KERNEL(drop_path, DropPath, float);
KERNEL(drop_path, DropPath, double);
KERNELS(residual, Residual);
KERNELS(residual_backward, ResidualBackward);
KERNEL(sum_of_squares, SumOfSquares, float);
KERNEL(sum_of_squares, SumOfSquares, double);

}  // namespace kernels
