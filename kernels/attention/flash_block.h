// What the flash kernels (flash.cu) are made of: a tile's rows on their way to shared memory, 16 of them as operands of
// the matrix units, sums, and the bias of the pairs of two tiles. Device code.
#pragma once
#include <limits>

#include "kernels/attention/attention.h"
#include "kernels/attention/flash_tiles.h"
#include "kernels/cuda/instructions.h"

namespace kernels::flash {

using cuda::SharedPointer;

inline constexpr int kWarps = kGroups, kThreads = 32 * kWarps, kMostHeads = 64;
inline constexpr float kLog2E = 1.4426950408889634F, kLn2 = 0.6931471805599453F;
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Rows of shared memory begin in different banks.
template <int kDim>
inline constexpr int kRow = kDim + 8;
template <int kDim>
inline constexpr int kTileSize = kTile* kRow<kDim>;

// What all three kernels know of a problem.
struct Flash {
  const bf16* qkv;
  AttentionSizes sizes;
  Tiles tiles;
  const float *relative, *key, *prefix;
  float scale;
  FieldOfView views[kMostHeads];  // what is skipped; what is seen is in `relative` but for windows

  __device__ long row() const { return sizes.head_stride(); }
  __device__ const bf16* part(int i) const { return qkv + sizes.packed_begin(blockIdx.z, i, blockIdx.y); }
  __device__ long lse() const { return (static_cast<long>(blockIdx.z) * sizes.heads + blockIdx.y) * sizes.tokens; }
  __device__ long out() const { return sizes.out_begin(blockIdx.z, blockIdx.y); }
};

__device__ inline int lane() { return static_cast<int>(threadIdx.x) % 32; }
__device__ inline int warp() { return static_cast<int>(threadIdx.x) / 32; }

// Begins the copy of a tile's rows, `stride` apart from `first` on; places without a token become 0.
template <int kDim>
__device__ void load(SharedPointer<bf16> to, const bf16* first, long stride, const Tiles& tiles, const Tile& tile) {
  constexpr int kChunks = kDim / 8;
  for (int i = static_cast<int>(threadIdx.x); i < kTile * kChunks; i += kThreads) {
    const int slot = i / kChunks, column = i % kChunks * 8;
    const bool there = tile.has(slot);
    cuda::cp_async<16>(to + (slot * kRow<kDim> + column),
                       first + (there ? tiles.token(tile, slot) * stride : 0) + column, there ? 16 : 0);
  }
}

// 16 rows as a left operand.
template <int kDim>
struct Rows {
  unsigned values[kDim / 16][4];
  __device__ void load(SharedPointer<bf16> first) {
    UNROLL for (int k = 0; k < kDim / 16; ++k)
        cuda::ldmatrix(values[k], first + (lane() % 16 * kRow<kDim> + 16 * k + lane() / 16 * 8));
  }
  // (16, 16) as two sums of 8 columns: this · othersᵀ, of 16 rows in shared memory.
  __device__ void times(SharedPointer<bf16> others, float (&sum)[2][4]) const {
    UNROLL for (int i = 0; i < 4; ++i) sum[0][i] = sum[1][i] = 0;
    UNROLL for (int k = 0; k < kDim / 16; ++k) {
      unsigned b[4];
      cuda::ldmatrix(b, others + ((lane() / 16 * 8 + lane() % 8) * kRow<kDim> + 16 * k + lane() / 8 % 2 * 8));
      cuda::mma_m16n8k16(sum[0], values[k], b[0], b[1]), cuda::mma_m16n8k16(sum[1], values[k], b[2], b[3]);
    }
  }
};

// Sums of 16 rows.
template <int kDim>
struct Sums {
  float values[kDim / 8][4] = {};
  // += weights · others: (16, 16) as `times` leaves it, rounded, and 16 rows in shared memory.
  __device__ void add(const float (&weights)[2][4], SharedPointer<bf16> others) {
    const unsigned a[4] = {cuda::pack_bf16(weights[0][0], weights[0][1]), cuda::pack_bf16(weights[0][2], weights[0][3]),
                           cuda::pack_bf16(weights[1][0], weights[1][1]),
                           cuda::pack_bf16(weights[1][2], weights[1][3])};
    UNROLL for (int d = 0; d < kDim / 16; ++d) {
      unsigned b[4];
      cuda::ldmatrix_transposed(b, others + (lane() % 16 * kRow<kDim> + 16 * d + lane() / 16 * 8));
      cuda::mma_m16n8k16(values[2 * d], a, b[0], b[1]), cuda::mma_m16n8k16(values[2 * d + 1], a, b[2], b[3]);
    }
  }
  // Row i of the two that this lane has is multiplied by factor[i], and stored where it has a token.
  __device__ void store(bf16* first, long stride, const Tiles& tiles, const Tile& tile,
                        const float (&factor)[2]) const {
    UNROLL for (int i = 0; i < 2; ++i) {
      const int slot = kGroup * warp() + 8 * i + lane() / 4;
      if (!tile.has(slot)) continue;
      auto* const row = reinterpret_cast<unsigned*>(first + tiles.token(tile, slot) * stride) + lane() % 4;
      UNROLL for (int n = 0; n < kDim / 8; ++n) row[4 * n] =
          cuda::pack_bf16(values[n][2 * i] * factor[i], values[n][2 * i + 1] * factor[i]);
    }
  }
};

// The block's own tile and the others that it meets. kOfKeys: its own are keys.
template <bool kOfKeys>
struct Meeting {
  const Flash& p;
  Tile own;
  FieldOfView view;
  SharedPointer<float> offsets;  // log2(e)·bias by (other - own), from own.y + 7 rows and own.x + 7 columns before
  int stride;

  __device__ Meeting(const Flash& problem, SharedPointer<float> table)
      : p(problem),
        own(problem.tiles[static_cast<int>(blockIdx.x)]),
        view(static_cast<int>(blockIdx.y) < kMostHeads ? problem.views[blockIdx.y] : FieldOfView{}),
        offsets(table),
        stride(problem.tiles.width + kSide - 1) {
    if (!p.relative || !own.patches) return;
    const int height = p.tiles.height, width = p.tiles.width;
    const float* from = p.relative + blockIdx.y * ((2L * height - 1) * (2 * width - 1));
    for (int i = static_cast<int>(threadIdx.x); i < (height + kSide - 1) * stride; i += kThreads) {
      const int y = i / stride - own.y - (kSide - 1), x = i % stride - own.x - (kSide - 1);  // other - own
      const int dy = kOfKeys ? -y : y, dx = kOfKeys ? -x : x;                                // key - query
      const bool there = -height < dy && dy < height && -width < dx && dx < width;
      offsets[i] = there ? from[(height - 1 - dy) * (2 * width - 1) + width - 1 - dx] * kLog2E : 0.F;
    }
  }

  // The next tile after `i` that it meets, or as many as there are.
  __device__ int next(int i) const {
    for (++i; i < p.tiles.count(); ++i)
      if (kOfKeys ? may_see(view, p.tiles[i], own) : may_see(view, own, p.tiles[i])) return i;
    return i;
  }
  // Does this warp's group meet group g of the other tile?
  __device__ bool meets(const Tile& other, int g) const {
    if (warp() >= own.groups() || g >= other.groups()) return false;
    return kOfKeys ? may_see(view, other, g, own, warp()) : may_see(view, own, warp(), other, g);
  }

  // From products with group g of the other tile to S; -∞ where there is no token.
  __device__ void add_bias(const Tile& other, int g, float (&s)[2][4]) const {
    const int row = lane() / 4, column = lane() % 4 * 2;
    const float scale = p.scale * kLog2E;
    const float* const of_prefix = p.prefix && !(kOfKeys ? own : other).patches
                                       ? p.prefix + 2 * blockIdx.y + !(kOfKeys ? other : own).patches
                                       : nullptr;
    const float constant = of_prefix ? *of_prefix * kLog2E : 0.F;
    const bool patches = own.patches && other.patches, by_offset = patches && p.relative;
    const int place = (other.y + 2 * g - 2 * warp() + kSide - 1) * stride + other.x + column - row + kSide - 1;
    UNROLL for (int n = 0; n < 2; ++n) UNROLL for (int i = 0; i < 4; ++i) {
      const int at = 2 * g + n, j = column + i % 2,
                below = i / 2;  // row and column of the square; the lane's second row
      const bool there = other.patches ? at < other.rows && j < other.columns : kSide * at + j < other.tokens;
      float bias = constant;
      if (by_offset && there) bias += offsets[place + (n - below) * stride + i % 2];
      if (patches && there && (p.key || view.window)) bias += rare(other, at, j, 2 * warp() + below, row);
      s[n][i] = there ? s[n][i] * scale + bias : -kInfinity;
    }
  }

 private:
  // The bias of the key itself, and windows.
  __device__ float rare(const Tile& other, int y, int x, int own_y, int own_x) const {
    const int ys[2] = {own.y + own_y, other.y + y}, xs[2] = {own.x + own_x, other.x + x};
    const int w = static_cast<int>(view.window);
    if (w && (ys[0] / w != ys[1] / w || xs[0] / w != xs[1] / w)) return -kInfinity;
    if (!p.key || ys[0] >= p.tiles.height || xs[0] >= p.tiles.width) return 0;
    const int key = kOfKeys ? ys[0] * p.tiles.width + xs[0] : ys[1] * p.tiles.width + xs[1];
    return p.key[blockIdx.y * (static_cast<long>(p.tiles.height) * p.tiles.width) + key] * kLog2E;
  }
};

// Over the lanes that have parts of a row.
template <class Op>
__device__ float over_row(float value, Op op) {
  value = op(value, __shfl_xor_sync(~0U, value, 1));
  return op(value, __shfl_xor_sync(~0U, value, 2));
}

}  // namespace kernels::flash
