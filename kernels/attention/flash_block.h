// What the flash kernels (flash.cu) are made of: a tile's rows on their way to shared memory, 16 of them as operands of
// the matrix units, sums, and the bias of the pairs of two tiles. Device code. What differs from tile to tile only is
// found once per tile: the matrix units leave time for about ten other instructions per logit of a lane.
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
  float scale, scale2;            // scale2: log2(e)·scale
  FieldOfView views[kMostHeads];  // what is skipped; what is seen is in `relative` but for windows

  __device__ int row() const { return static_cast<int>(sizes.head_stride()); }
  __device__ const bf16* part(int i) const { return qkv + sizes.packed_begin(blockIdx.z, i, blockIdx.y); }
  __device__ long lse() const { return (static_cast<long>(blockIdx.z) * sizes.heads + blockIdx.y) * sizes.tokens; }
  __device__ long out() const { return sizes.out_begin(blockIdx.z, blockIdx.y); }
};

__device__ inline int lane() { return static_cast<int>(threadIdx.x % 32U); }
__device__ inline int warp() { return static_cast<int>(threadIdx.x / 32U); }

// A thread's share of a tile's rows: 16 bytes of every kPass-th one. Places are counted in 32 bits from the image's and
// head's first row on.
template <int kDim>
struct Share {
  static constexpr unsigned kChunks = kDim / 8;
  static constexpr int kPass = kThreads / kChunks, kCount = kTile / kPass;
  int slot, column;  // of the tile's rows, of their features
  int token, step;   // the first row's, and from one to the next
  int left, unit;    // the i-th has a token if i·unit < left
  __device__ Share(const Tiles& tiles, const Tile& tile)
      : slot(static_cast<int>(threadIdx.x / kChunks)), column(static_cast<int>(threadIdx.x % kChunks * 8)) {
    const int y = slot / kSide, x = slot % kSide;
    unit = tile.patches ? kPass / kSide : kPass;
    step = tile.patches ? unit * tiles.width : unit;
    token = tile.patches ? tiles.prefix + (tile.y + y) * tiles.width + tile.x + x : tile.first + slot;
    left = !tile.patches ? tile.tokens - slot : x < tile.columns ? tile.rows - y : 0;
  }
  // Begins their copy, `stride` apart from `first` on; places without a token become 0.
  __device__ void load(SharedPointer<bf16> to, const bf16* first, int stride) const {
    UNROLL
    for (int i = 0; i < kCount; ++i)
      cuda::cp_async<16>(to + ((slot + i * kPass) * kRow<kDim> + column),
                         first + ((token + i * step) * stride + column), i * unit < left ? 16 : 0);
  }
};

// 16 rows as a left operand.
template <int kDim>
struct Rows {
  unsigned values[kDim / 16][4];
  __device__ void load(SharedPointer<bf16> first) {
    UNROLL
    for (int k = 0; k < kDim / 16; ++k)
      cuda::ldmatrix(values[k], first + (lane() % 16 * kRow<kDim> + 16 * k + lane() / 16 * 8));
  }
  // (16, 16) as two sums of 8 columns: this · othersᵀ, of 16 rows in shared memory.
  __device__ void times(SharedPointer<bf16> others, float (&sum)[2][4]) const {
    UNROLL
    for (int i = 0; i < 4; ++i) sum[0][i] = sum[1][i] = 0;
    UNROLL
    for (int k = 0; k < kDim / 16; ++k) {
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
    UNROLL
    for (int d = 0; d < kDim / 16; ++d) {
      unsigned b[4];
      cuda::ldmatrix_transposed(b, others + (lane() % 16 * kRow<kDim> + 16 * d + lane() / 16 * 8));
      cuda::mma_m16n8k16(values[2 * d], a, b[0], b[1]), cuda::mma_m16n8k16(values[2 * d + 1], a, b[2], b[3]);
    }
  }
  // Row i of the two that this lane has is multiplied by factor[i], and stored where it has a token.
  __device__ void store(bf16* first, long stride, const Tiles& tiles, const Tile& tile,
                        const float (&factor)[2]) const {
    UNROLL
    for (int i = 0; i < 2; ++i) {
      const int slot = kGroup * warp() + 8 * i + lane() / 4;
      if (!tile.has(slot)) continue;
      auto* const row = reinterpret_cast<unsigned*>(first + tiles.token(tile, slot) * stride) + lane() % 4;
      UNROLL
      for (int n = 0; n < kDim / 8; ++n)
        row[4 * n] = cuda::pack_bf16(values[n][2 * i] * factor[i], values[n][2 * i + 1] * factor[i]);
    }
  }
};

// A tile that the block's own one meets, as this lane sees it.
struct Other {
  Tile tile;
  unsigned met;     // bit g: this warp's group meets its group g
  bool by_offset;   // pairs of patches, whose bias stands in the table
  bool cut;         // not all 64 places have tokens, or not all may be seen
  bool rare;        // windows, or a key's own bias
  int place;        // of group 0 in the table
  float column[2];  // added to the logits of this lane's two columns: a constant, or -∞ beyond the grid or window
};

// The table has all offsets from one tile to all.
__host__ __device__ inline int table_rows(const Tiles& tiles) { return tiles.down() * kSide + kSide - 1; }
__host__ __device__ inline int table_columns(const Tiles& tiles) { return tiles.across() * kSide + kSide - 1; }

// The block's own tile and what it meets. kOfKeys: its own tokens are keys.
template <bool kOfKeys>
struct Meeting {
  const Flash& p;
  Tile own;
  // For each tile, bit 4·w + g: warp w's group meets its group g; from bits 16 and 24 on where a tile of patches
  // stands.
  SharedPointer<unsigned> met;
  SharedPointer<float> offsets;  // log2(e)·bias by (other - own), from own.y + 7 rows and own.x + 7 columns before
  int stride, window;
  int window_y[2], window_x;  // where the windows of this lane's rows begin
  float own_key[2] = {0, 0};  // their own bias

  __device__ Meeting(const Flash& problem, SharedPointer<unsigned> pairs, SharedPointer<float> table)
      : p(problem),
        own(problem.tiles[static_cast<int>(blockIdx.x)]),
        met(pairs),
        offsets(table),
        stride(table_columns(problem.tiles)) {
    const int head = static_cast<int>(blockIdx.y);
    const FieldOfView view = head < kMostHeads ? p.views[head] : FieldOfView{};
    window = static_cast<int>(view.window);
    for (int i = 2 * warp(); i < p.tiles.count(); i += 2 * kWarps) {  // a lane for each pair of groups, of two tiles
      const int at = i + lane() / 16, w = lane() / 4 % 4, g = lane() % 4;
      const Tile other = p.tiles[at < p.tiles.count() ? at : 0];
      const bool meets = at < p.tiles.count() && w < own.groups() && g < other.groups() &&
                         (kOfKeys ? may_see(view, other, g, own, w) : may_see(view, own, w, other, g));
      const unsigned bits = __ballot_sync(~0U, meets), place = other.y / kSide << 16 | other.x / kSide << 24;
      if (lane() % 16 == 0 && at < p.tiles.count()) met[at] = (bits >> lane() & 0xFFFFU) | place;
    }
    if (own.patches) {
      if (p.relative) fill_table(head);
      for (int i = 0; i < 2; ++i) {
        const int y = own.y + 2 * warp() + i, x = own.x + lane() / 4;
        if (window) window_y[i] = y / window * window, window_x = x / window * window;
        if (kOfKeys && p.key && y < p.tiles.height && x < p.tiles.width) own_key[i] = key(y, x);
      }
    }
    __syncthreads();
  }

  // The next tile after `i` that it meets, or as many as there are.
  __device__ int next(int i) const {
    for (++i; i < p.tiles.count() && (met[i] & 0xFFFFU) == 0;) ++i;
    return i;
  }
  __device__ Tile tile(int i) const {
    if (i >= p.tiles.of_patches()) return p.tiles.run(i);
    const unsigned place = met[i] >> 16;
    return p.tiles.square(static_cast<int>(place & 0xFFU) * kSide, static_cast<int>(place >> 8) * kSide);
  }

  __device__ Other other(int i) const {
    Other o{};
    o.tile = tile(i);
    o.met = met[i] >> 4 * warp() & 15U;
    const int column = lane() % 4 * 2;
    const bool patches = own.patches && o.tile.patches;
    o.by_offset = patches && p.relative;
    o.rare = patches && (p.key || window);
    o.cut = o.tile.patches ? o.tile.rows < kSide || o.tile.columns < kSide || window : o.tile.tokens < kTile;
    o.place = (o.tile.y - 2 * warp() + kSide - 1) * stride + o.tile.x + column - lane() / 4 + kSide - 1;
    const bool of_prefix = p.prefix && !(kOfKeys ? own : o.tile).patches;  // the key
    const float constant = of_prefix ? p.prefix[2 * blockIdx.y + !(kOfKeys ? o.tile : own).patches] * kLog2E : 0.F;
    UNROLL
    for (int e = 0; e < 2; ++e) {
      o.column[e] = o.tile.patches && column + e >= o.tile.columns ? -kInfinity : constant;
      const int from = o.tile.x + column + e - window_x;  // where the window begins
      if (patches && window && (from < 0 || from >= window)) o.column[e] = -kInfinity;
    }
    return o;
  }

  // From products with group g of the other tile to S = log2(e)·(scale·product + bias); -∞ where there is no token.
  __device__ void add_bias(const Other& o, int g, float (&s)[2][4]) const {
    if (o.by_offset) {
      float bias[3][2];  // of three rows of offsets
      UNROLL
      for (int r = 0; r < 3; ++r) UNROLL
      for (int e = 0; e < 2; ++e) bias[r][e] = offsets[o.place + (2 * g + r - 1) * stride + e];
      UNROLL
      for (int n = 0; n < 2; ++n) UNROLL
      for (int i = 0; i < 4; ++i) s[n][i] = s[n][i] * p.scale2 + bias[n - i / 2 + 1][i % 2];
      if (o.cut) {
        UNROLL
        for (int n = 0; n < 2; ++n) UNROLL
        for (int i = 0; i < 4; ++i) s[n][i] += o.column[i % 2];
      }
    } else {
      UNROLL
      for (int n = 0; n < 2; ++n) UNROLL
      for (int i = 0; i < 4; ++i) s[n][i] = s[n][i] * p.scale2 + o.column[i % 2];
    }
    if (o.cut) {
      UNROLL
      for (int n = 0; n < 2; ++n) {
        const int left = o.tile.patches ? (2 * g + n < o.tile.rows ? kSide : 0) : o.tile.tokens - kSide * (2 * g + n);
        UNROLL
        for (int i = 0; i < 4; ++i)
          if (lane() % 4 * 2 + i % 2 >= left) s[n][i] = -kInfinity;
      }
    }
    if (o.rare) add_rare(o, g, s);
  }

 private:
  __device__ float key(int y, int x) const {
    return p.key[(static_cast<long>(blockIdx.y) * p.tiles.height + y) * p.tiles.width + x] * kLog2E;
  }
  __device__ void fill_table(int head) const {
    const int height = p.tiles.height, width = p.tiles.width;
    const float* from = p.relative + head * ((2L * height - 1) * (2 * width - 1));
    for (int y = warp(); y < table_rows(p.tiles); y += kWarps) {
      const int up = y - own.y - (kSide - 1), dy = kOfKeys ? -up : up;  // key - query, of other - own
      for (int x = lane(); x < stride; x += 32) {
        const int left = x - own.x - (kSide - 1), dx = kOfKeys ? -left : left;
        const bool there = -height < dy && dy < height && -width < dx && dx < width;
        offsets[y * stride + x] = there ? from[(height - 1 - dy) * (2 * width - 1) + width - 1 - dx] * kLog2E : 0.F;
      }
    }
  }
  // Windows, and the bias of a key itself.
  __device__ void add_rare(const Other& o, int g, float (&s)[2][4]) const {
    UNROLL
    for (int n = 0; n < 2; ++n) {
      const int y = o.tile.y + 2 * g + n;
      UNROLL
      for (int i = 0; i < 4; ++i) {
        const int x = o.tile.x + lane() % 4 * 2 + i % 2, from = y - window_y[i / 2];
        if (p.key && kOfKeys) s[n][i] += own_key[i / 2];
        if (p.key && !kOfKeys && y < p.tiles.height && x < p.tiles.width) s[n][i] += key(y, x);
        if (window && (from < 0 || from >= window)) s[n][i] = -kInfinity;
      }
    }
  }
};

// Over the lanes that have parts of a row.
template <class Op>
__device__ float over_row(float value, Op op) {
  value = op(value, __shfl_xor_sync(~0U, value, 1));
  return op(value, __shfl_xor_sync(~0U, value, 2));
}

}  // namespace kernels::flash
