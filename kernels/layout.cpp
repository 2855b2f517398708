// Token layout on the CPU.
#include "kernels/layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace kernels {
namespace {

// f(position in patches, position in image, run) for every contiguous run, along the rows of the image. The usual
// patch sizes are known when compiled: a copy of 16 values is then a few instructions instead of a call.
template <class T, class Run, class F>
void for_each_run(const Patchify<T>& p, Run run, F f) {
  const long width = p.grid.x * p.patch, height = p.grid.y * p.patch, columns = p.channels * p.patch * p.patch;
  parallel_for(p.images * p.grid.y, p.grid.x * columns, [=](long row) {
    const long b = row / p.grid.y, y = row % p.grid.y;
    for (long c = 0; c < p.channels; ++c)
      for (long i = 0; i < p.patch; ++i)
        for (long x = 0; x < p.grid.x; ++x)
          f((row * p.grid.x + x) * columns + (c * p.patch + i) * p.patch,
            ((b * p.channels + c) * height + y * p.patch + i) * width + x * p.patch, run);
  });
}
template <class T, class F>
void for_each_run(const Patchify<T>& p, F f) {
  switch (p.patch) {
    case 4:
      return for_each_run(p, std::integral_constant<long, 4>(), f);
    case 8:
      return for_each_run(p, std::integral_constant<long, 8>(), f);
    case 16:
      return for_each_run(p, std::integral_constant<long, 16>(), f);
    default:
      return for_each_run(p, p.patch, f);
  }
}

// f(target, source, weight) for the grid points that each target mixes
template <class T, class F>
void for_each_tap(const ResizeGrid<T>& p, F f) {
  for (long y = 0; y < p.to_grid.y; ++y)
    for (long x = 0; x < p.to_grid.x; ++x) {
      const GridTaps ys(y, p.to_grid.y, p.from_grid.y, p.filter), xs(x, p.to_grid.x, p.from_grid.x, p.filter);
      for (long i = 0; i < ys.count; ++i)
        for (long j = 0; j < xs.count; ++j)
          f(y * p.to_grid.x + x, ys.source(i) * p.from_grid.x + xs.source(j),
            static_cast<T>(ys.weight(i) * xs.weight(j)));
    }
}

}  // namespace

template <class T>
void patchify(Cpu, const Patchify<T>& p) {
  for_each_run(p,
               [=](long patch, long pixel, auto n) { std::memcpy(p.patches + patch, p.image + pixel, n * sizeof(T)); });
}
template <class T>
void unpatchify(Cpu, const Patchify<T>& p) {
  for_each_run(p,
               [=](long patch, long pixel, auto n) { std::memcpy(p.image + pixel, p.patches + patch, n * sizeof(T)); });
}

template <class T>
void copy_blocks(Cpu, const CopyBlocks<T>& p) {
  parallel_for(p.count, p.size,
               [&](long i) { std::copy_n(p.from + i * p.from_stride, p.size, p.to + i * p.to_stride); });
}

template <class T>
void mean_tokens(Cpu, const MeanTokens<T>& p) {
  parallel_for(p.images, p.tokens * p.cols, [&](long b) {
    constexpr long kColumns = 1024;  // whose sums, of type Acc<T>, stay in the first-level cache
    for (long begin = 0; begin < p.cols; begin += kColumns) {
      const long width = std::min(kColumns, p.cols - begin);
      Acc<T> sum[kColumns] = {};
      for (long t = p.first; t < p.tokens; ++t) {
        const T* x = p.x + (b * p.tokens + t) * p.cols + begin;
        for (long c = 0; c < width; ++c) sum[c] += static_cast<Acc<T>>(x[c]);
      }
      T* y = p.y + b * p.cols + begin;
      for (long c = 0; c < width; ++c) y[c] = static_cast<T>(sum[c] / static_cast<Acc<T>>(p.tokens - p.first));
    }
  });
}

template <class T>
void mean_tokens_backward(Cpu, const MeanTokensBackward<T>& p) {
  parallel_for(p.images * p.tokens, p.cols, [&](long row) {
    T* dx = p.dx + row * p.cols;
    const T* dy = p.dy + row / p.tokens * p.cols;
    const Acc<T> weight = row % p.tokens < p.first ? 0 : 1 / static_cast<Acc<T>>(p.tokens - p.first);
    for (long c = 0; c < p.cols; ++c) dx[c] = static_cast<T>(static_cast<Acc<T>>(dy[c]) * weight);
  });
}

template <class T>
void resize_grid(Cpu, const ResizeGrid<T>& p) {
  std::fill_n(p.to, p.to_grid.patches() * p.cols, T(0));
  for_each_tap(p, [&](long to, long from, T weight) {
    for (long c = 0; c < p.cols; ++c) p.to[to * p.cols + c] += weight * p.from[from * p.cols + c];
  });
}
template <class T>
void resize_grid_backward(Cpu, const ResizeGrid<T>& p) {
  std::fill_n(p.from, p.from_grid.patches() * p.cols, T(0));
  for_each_tap(p, [&](long to, long from, T weight) {
    for (long c = 0; c < p.cols; ++c) p.from[from * p.cols + c] += weight * p.to[to * p.cols + c];
  });
}

// What works on activations, which may be bf16; pictures and position tables are not.
#define INSTANTIATE(T)                                  \
  template void copy_blocks(Cpu, const CopyBlocks<T>&); \
  template void mean_tokens(Cpu, const MeanTokens<T>&); \
  template void mean_tokens_backward(Cpu, const MeanTokensBackward<T>&)
INSTANTIATE(float);
INSTANTIATE(double);
INSTANTIATE(bf16);
#undef INSTANTIATE
#define INSTANTIATE(T)                                  \
  template void patchify(Cpu, const Patchify<T>&);      \
  template void unpatchify(Cpu, const Patchify<T>&);    \
  template void resize_grid(Cpu, const ResizeGrid<T>&); \
  template void resize_grid_backward(Cpu, const ResizeGrid<T>&)
INSTANTIATE(float);
INSTANTIATE(double);

}  // namespace kernels
