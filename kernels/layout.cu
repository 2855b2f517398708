// Token layout on a GPU: a thread for each value that is written, or for each vector of them.
#include "kernels/layout.h"

#include <cmath>

#include "kernels/cuda/map.h"

namespace kernels {
namespace {

// Where line i of all patches, `patch` values, begins in the images.
template <class T>
__device__ long pixel_of(const Patchify<T>& p, unsigned i) {
  const auto patch = static_cast<unsigned>(p.patch), channels = static_cast<unsigned>(p.channels);
  const auto grid_x = static_cast<unsigned>(p.grid.x), grid_y = static_cast<unsigned>(p.grid.y);
  const unsigned dy = i % patch, c = i / patch % channels, token = i / patch / channels;
  const unsigned x = token % grid_x, y = token / grid_x % grid_y, b = token / grid_x / grid_y;
  return (((long{b} * channels + c) * grid_y + y) * patch + dy) * grid_x * patch + x * patch;
}
template <class T, class F>
void for_each_line(Cuda cuda, const Patchify<T>& p, F f) {
  const long lines = p.images * p.grid.patches() * p.channels * p.patch;
  cuda::for_each_in_rows<T>(cuda, lines, p.patch, cuda::aligned(p.patches, p.image), f);
}

}  // namespace

template <class T>
void patchify(Cuda cuda, const Patchify<T>& p) {
  for_each_line(cuda, p, [p] __device__<int kN>(unsigned line, long x) {
    cuda::store(p.patches + line * p.patch + x, cuda::load<kN>(p.image + pixel_of(p, line) + x));
  });
}
template <class T>
void unpatchify(Cuda cuda, const Patchify<T>& p) {
  for_each_line(cuda, p, [p] __device__<int kN>(unsigned line, long x) {
    cuda::store(p.image + pixel_of(p, line) + x, cuda::load<kN>(p.patches + line * p.patch + x));
  });
}

template <class T>
void copy_blocks(Cuda cuda, const CopyBlocks<T>& p) {
  const bool vectors = (p.to_stride | p.from_stride) % cuda::kLanes<T> == 0 && cuda::aligned(p.to, p.from);
  cuda::for_each_in_rows<T>(cuda, p.count, p.size, vectors, [p] __device__<int kN>(unsigned block, long i) {
    cuda::store(p.to + block * p.to_stride + i, cuda::load<kN>(p.from + block * p.from_stride + i));
  });
}

template <class T>
void mean_tokens(Cuda cuda, const MeanTokens<T>& p) {
  using A = Acc<T>;
  cuda::for_each(cuda, p.images * p.cols, [p] __device__(long i) {
    const T* x = p.x + i / p.cols * p.tokens * p.cols + i % p.cols;
    A sum = 0;
    for (long t = p.first; t < p.tokens; ++t) sum += static_cast<A>(x[t * p.cols]);
    p.y[i] = static_cast<T>(sum / static_cast<A>(p.tokens - p.first));
  });
}

template <class T>
void mean_tokens_backward(Cuda cuda, const MeanTokensBackward<T>& p) {
  using A = Acc<T>;
  cuda::for_each(cuda, p.images * p.tokens * p.cols, [p] __device__(long i) {
    const long token = i / p.cols % p.tokens, image = i / (p.cols * p.tokens);
    const A weight = token < p.first ? 0 : 1 / static_cast<A>(p.tokens - p.first);
    p.dx[i] = static_cast<T>(static_cast<A>(p.dy[image * p.cols + i % p.cols]) * weight);
  });
}

template <class T>
void resize_grid(Cuda cuda, const ResizeGrid<T>& p) {
  cuda::for_each(cuda, p.to_grid.patches() * p.cols, [p] __device__(long i) {
    const long patch = i / p.cols, c = i % p.cols;
    const GridTaps ys(patch / p.to_grid.x, p.to_grid.y, p.from_grid.y, p.filter);
    const GridTaps xs(patch % p.to_grid.x, p.to_grid.x, p.from_grid.x, p.filter);
    T sum = 0;
    for (long y = 0; y < ys.count; ++y)
      for (long x = 0; x < xs.count; ++x) {
        const auto weight = static_cast<T>(ys.weight(y) * xs.weight(x));
        sum += weight * p.from[(ys.source(y) * p.from_grid.x + xs.source(x)) * p.cols + c];
      }
    p.to[i] = sum;
  });
}

// Each source gathers what its targets hold of it: nothing is added atomically.
template <class T>
void resize_grid_backward(Cuda cuda, const ResizeGrid<T>& p) {
  cuda::for_each(cuda, p.from_grid.patches() * p.cols, [p] __device__(long i) {
    const long patch = i / p.cols, c = i % p.cols, sy = patch / p.from_grid.x, sx = patch % p.from_grid.x;
    const GridRange ys = targets_of(sy, p.to_grid.y, p.from_grid.y), xs = targets_of(sx, p.to_grid.x, p.from_grid.x);
    T sum = 0;
    for (long y = ys.begin; y < ys.end; ++y) {
      const double of_row = GridTaps(y, p.to_grid.y, p.from_grid.y, p.filter).share_of(sy);
      if (of_row == 0) continue;
      for (long x = xs.begin; x < xs.end; ++x) {
        const double share = of_row * GridTaps(x, p.to_grid.x, p.from_grid.x, p.filter).share_of(sx);
        if (share != 0) sum += static_cast<T>(share) * p.to[(y * p.to_grid.x + x) * p.cols + c];
      }
    }
    p.from[i] = sum;
  });
}

KERNELS_ON_GPU(copy_blocks, CopyBlocks);
KERNELS_ON_GPU(mean_tokens, MeanTokens);
KERNELS_ON_GPU(mean_tokens_backward, MeanTokensBackward);
#define INSTANTIATE(T)                                   \
  template void patchify(Cuda, const Patchify<T>&);      \
  template void unpatchify(Cuda, const Patchify<T>&);    \
  template void resize_grid(Cuda, const ResizeGrid<T>&); \
  template void resize_grid_backward(Cuda, const ResizeGrid<T>&)
INSTANTIATE(float);
INSTANTIATE(double);

}  // namespace kernels
