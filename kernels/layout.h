// Kernels that move tokens: image to patches, class token in front, token selection and pooling, grid resizing.
#pragma once
#include "kernels/attention/field_of_view.h"
#include "kernels/context.h"
#include "kernels/grid_taps.h"

namespace kernels {

// patches[b, (y, x), (c, i, j)] = image[b, c, y·p + i, x·p + j]: the rows that the patch embedding multiplies.
template <class T>
struct Patchify {
  T* patches;  // (images, grid.y·grid.x, channels·patch·patch) out (or in, for unpatchify)
  T* image;    // (images, channels, grid.y·patch, grid.x·patch) in (or out)
  long images, channels, patch;
  Grid grid;
};
template <class T>
void patchify(Cpu, const Patchify<T>&);  // image → patches
template <class T>
void patchify(Cuda, const Patchify<T>&);
template <class T>
void unpatchify(Cpu, const Patchify<T>&);  // patches → image, the inverse and the gradient
template <class T>
void unpatchify(Cuda, const Patchify<T>&);

// to[i, :] = from[i, :] for `count` blocks of `size` values that lie to_stride and from_stride apart; from_stride 0
// repeats.
template <class T>
struct CopyBlocks {
  T* to;
  const T* from;
  long count, size, to_stride, from_stride;
};
template <class T>
void copy_blocks(Cpu, const CopyBlocks<T>&);
template <class T>
void copy_blocks(Cuda, const CopyBlocks<T>&);

// y[b] = mean over tokens [first, tokens) of x[b]
template <class T>
struct MeanTokens {
  T* y;        // (images, cols) out
  const T* x;  // (images, tokens, cols)
  long images, tokens, first, cols;
};
template <class T>
void mean_tokens(Cpu, const MeanTokens<T>&);
template <class T>
void mean_tokens(Cuda, const MeanTokens<T>&);

// dx[b, t] = dy[b] / (tokens - first) from `first` on, 0 before
template <class T>
struct MeanTokensBackward {
  T* dx;        // (images, tokens, cols) out
  const T* dy;  // (images, cols)
  long images, tokens, first, cols;
};
template <class T>
void mean_tokens_backward(Cpu, const MeanTokensBackward<T>&);
template <class T>
void mean_tokens_backward(Cuda, const MeanTokensBackward<T>&);

// Resize of a grid of vectors, by grid_taps.h; bilinear is the paper's rule for learned positions.
template <class T>
struct ResizeGrid {
  T* to;    // (to_grid.y, to_grid.x, cols) out (or in, for the backward pass)
  T* from;  // (from_grid.y, from_grid.x, cols) in (or out)
  Grid to_grid, from_grid;
  long cols;
  GridFilter filter = GridFilter::bilinear;
};
template <class T>
void resize_grid(Cpu, const ResizeGrid<T>&);
template <class T>
void resize_grid(Cuda, const ResizeGrid<T>&);
template <class T>
void resize_grid_backward(Cpu, const ResizeGrid<T>&);  // the transposed map: to → from
template <class T>
void resize_grid_backward(Cuda, const ResizeGrid<T>&);

}  // namespace kernels
