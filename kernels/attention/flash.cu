// Flash attention by mma.sync, from sm_80 on: a block of four warps has a tile of 64 tokens of its own and meets one
// other tile after the other. In the forward pass and for dQ its own are queries and the others keys; for dK and dV it
// is the other way round. A warp has 16 of its own rows, as the left operand in registers; the other tile's rows are in
// shared memory, the next one's on their way. The bias by offset is a table in shared memory of the offsets that can
// occur.
//
// With S = log2(e)·(scale·Q·Kᵀ + bias) all exponentials are powers of two. Forward, for one other tile after the other:
//   m' = max(m, S),  O = 2^(m - m')·O + 2^(S - m')·V,  l = 2^(m - m')·l + Σ 2^(S - m')
// and backward, with P = 2^(S - log2(e)·lse):  dS = P ⊙ (dO·Vᵀ - δ),  dQ = scale·dS·K,  dK = scale·dSᵀ·Q,  dV = Pᵀ·dO.
#include "kernels/attention/flash.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention/flash_block.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/reduce.h"
#include "kernels/cuda/vector.h"

namespace kernels {
namespace {

using namespace flash;

// What a block knows of pairs of tiles, in values of 4 bytes.
__host__ __device__ int met_size(const Tiles& tiles) { return (tiles.count() + 3) / 4 * 4; }
__host__ __device__ int table_size(const Tiles& tiles) { return table_rows(tiles) * table_columns(tiles); }

// Begins the copy of what the block meets after tile i, if anything, and waits for that of tile i. Returns which it is.
template <class M, class F>
__device__ int begin_next(const M& meeting, int i, int stage, F begin) {
  const int next = meeting.next(i);
  if (next < meeting.p.tiles.count())
    begin(next, stage), cuda::cp_async_wait<1>();
  else
    cuda::cp_async_wait<0>();
  __syncthreads();
  return next;
}

template <int kDim>
__global__ void __launch_bounds__(kThreads, 4) flash_forward(const __grid_constant__ Flash p, bf16* out, float* lse) {
  SHARED_VIEW(bf16, tiles, 5 * kTileSize<kDim>, 0);  // Q; two stages of K and V
  SHARED_VIEW(unsigned, met, met_size(p.tiles), 10 * kTileSize<kDim>);
  SHARED_VIEW(float, table, table_size(p.tiles), 10 * kTileSize<kDim> + 4 * met_size(p.tiles));
  const Meeting<false> meeting(p, met, table);
  const bf16 *const all_k = p.part(1), *const all_v = p.part(2);
  const int row = p.row();
  const auto begin = [&](int i, int stage) {
    const Share<kDim> share(p.tiles, meeting.tile(i));
    const SharedPointer<bf16> to = tiles + (1 + 2 * stage) * kTileSize<kDim>;
    share.load(to, all_k, row), share.load(to + kTileSize<kDim>, all_v, row);
    cuda::cp_async_commit();
  };
  int i = meeting.next(-1);
  Share<kDim>(p.tiles, meeting.own).load(tiles, p.part(0), p.row());
  if (i < p.tiles.count()) begin(i, 0);
  Rows<kDim> q;
  Sums<kDim> sums;
  float max[2] = {-kInfinity, -kInfinity}, sum[2] = {0, 0};
  for (int stage = 0, first = 1; i < p.tiles.count(); stage = 1 - stage, first = 0) {
    const int next = begin_next(meeting, i, 1 - stage, begin);
    if (first) q.load(tiles + kGroup * warp() * kRow<kDim>);
    const Other other = meeting.other(i);
    const SharedPointer<bf16> k = tiles + (1 + 2 * stage) * kTileSize<kDim>, v = k + kTileSize<kDim>;
    float s[kGroups][2][4];
    float new_max[2] = {max[0], max[1]};
    UNROLL
    for (int g = 0; g < kGroups; ++g)
      if (other.met >> g & 1) q.times(k + kGroup * g * kRow<kDim>, s[g]);
    UNROLL
    for (int g = 0; g < kGroups; ++g)
      if (other.met >> g & 1) {
        meeting.add_bias(other, g, s[g]);
        UNROLL
        for (int e = 0; e < 4; ++e) new_max[e / 2] = fmaxf(new_max[e / 2], fmaxf(s[g][0][e], s[g][1][e]));
      }
    float subtract[2];
    UNROLL
    for (int r = 0; r < 2; ++r) {
      new_max[r] = over_row(new_max[r], [](float a, float b) { return fmaxf(a, b); });
      subtract[r] = new_max[r] == -kInfinity ? 0.F : new_max[r];  // nothing is visible yet
    }
    if (__any_sync(~0U, max[0] != new_max[0] || max[1] != new_max[1])) {
      UNROLL
      for (int r = 0; r < 2; ++r) {
        const float shrink = cuda::exp2_approximate(max[r] - subtract[r]);
        max[r] = new_max[r], sum[r] *= shrink;
        UNROLL
        for (int n = 0; n < kDim / 8; ++n) sums.values[n][2 * r] *= shrink, sums.values[n][2 * r + 1] *= shrink;
      }
    }
    UNROLL
    for (int g = 0; g < kGroups; ++g)
      if (other.met >> g & 1) {
        UNROLL
        for (int n = 0; n < 2; ++n) UNROLL
        for (int e = 0; e < 4; ++e) {
          s[g][n][e] = cuda::exp2_approximate(s[g][n][e] - subtract[e / 2]);
          sum[e / 2] += s[g][n][e];
        }
        sums.add(s[g], v + kGroup * g * kRow<kDim>);
      }
    __syncthreads();  // the next copy may write here
    i = next;
  }
  float factor[2];
  UNROLL
  for (int r = 0; r < 2; ++r) {
    sum[r] = over_row(sum[r], cuda::Sum{});
    factor[r] = sum[r] == 0 ? 0.F : 1 / sum[r];
    const int slot = kGroup * warp() + 8 * r + lane() / 4;
    if (lane() % 4 == 0 && meeting.own.has(slot))
      lse[p.lse() + p.tiles.token(meeting.own, slot)] =
          sum[r] == 0 ? -kInfinity : (max[r] == -kInfinity ? 0.F : max[r]) * kLn2 + logf(sum[r]);
  }
  sums.store(out + p.out(), p.sizes.heads * kDim, p.tiles, meeting.own, factor);
}

// δ of a (image, token, head) by as many lanes as it has 16 bytes.
template <int kDim>
__global__ void find_delta(AttentionSizes z, const bf16* dout, const bf16* out, float* delta) {
  constexpr int kLanes = kDim / 8;
  const long i = static_cast<long>(blockIdx.x) * kThreads + threadIdx.x, row = i / kLanes;
  const bool there = row < z.images * z.tokens * z.heads;
  float sum = 0;
  if (there) {
    const auto dy = cuda::load<8>(dout + 8 * i), y = cuda::load<8>(out + 8 * i);
    UNROLL
    for (int d = 0; d < 8; ++d) sum += dy[d] * y[d];
  }
  UNROLL
  for (int step = 1; step < kLanes; step *= 2) sum += __shfl_xor_sync(~0U, sum, step);
  if (!there || i % kLanes > 0) return;
  const long head = row % z.heads, token = row / z.heads % z.tokens, image = row / z.heads / z.tokens;
  delta[(image * z.heads + head) * z.tokens + token] = sum;
}

// What the gradient of a pair needs of its query.
struct Query {
  float lse2, delta;  // log2(e)·lse, +∞ if it sees nothing, so that all weights are 0
};
struct Gradient {
  const bf16* dout;
  const float *lse, *delta;
  bf16* dqkv;
  __device__ Query query(const Flash& p, const Tile& tile, int slot) const {
    if (!tile.has(slot)) return {kInfinity, 0};
    const long at = p.lse() + p.tiles.token(tile, slot);
    return {lse[at] == -kInfinity ? kInfinity : lse[at] * kLog2E, delta[at]};
  }
};

// dQ, or dK and dV, of the block's own tile. `of_queries`: 64 of lse2, then 64 of δ, for each stage.
template <int kDim, bool kOfKeys>
__global__ void __launch_bounds__(kThreads, 3) flash_backward(const __grid_constant__ Flash p, Gradient gradient) {
  constexpr int kSize = kTileSize<kDim>;
  SHARED_VIEW(bf16, tiles, 6 * kSize, 0);  // its own of two kinds; two stages of the others'
  SHARED_VIEW(float, of_queries, 4 * kTile, 12 * kSize);
  SHARED_VIEW(unsigned, met, met_size(p.tiles), 12 * kSize + 16 * kTile);
  SHARED_VIEW(float, table, table_size(p.tiles), 12 * kSize + 16 * kTile + 4 * met_size(p.tiles));
  const Meeting<kOfKeys> meeting(p, met, table);
  const Tile own = meeting.own;
  const int row = p.row(), out_row = static_cast<int>(p.sizes.heads) * kDim;
  const bf16 *const q = p.part(0), *const k = p.part(1), *const v = p.part(2), *const dout = gradient.dout + p.out();
  const auto load_queries = [&](SharedPointer<bf16> to, const Tile& tile) {
    const Share<kDim> share(p.tiles, tile);
    share.load(to, q, row), share.load(to + kSize, dout, out_row);
  };
  const auto load_keys = [&](SharedPointer<bf16> to, const Tile& tile) {
    const Share<kDim> share(p.tiles, tile);
    share.load(to, k, row), share.load(to + kSize, v, row);
  };
  const auto begin = [&](int i, int stage) {
    const Tile tile = meeting.tile(i);
    const SharedPointer<bf16> to = tiles + (2 + 2 * stage) * kSize;
    if constexpr (kOfKeys) {
      load_queries(to, tile);
      if (const int slot = static_cast<int>(threadIdx.x); slot < kTile) {
        const Query query = gradient.query(p, tile, slot);
        of_queries[2 * stage * kTile + slot] = query.lse2, of_queries[(2 * stage + 1) * kTile + slot] = query.delta;
      }
    } else {
      load_keys(to, tile);
    }
    cuda::cp_async_commit();
  };
  if constexpr (kOfKeys)
    load_keys(tiles, own);
  else
    load_queries(tiles, own);
  int i = meeting.next(-1);
  if (i < p.tiles.count()) begin(i, 0);
  Rows<kDim> left, left_of_weights;  // Q and dO, or K and V
  Query mine[2];
  UNROLL
  for (int r = 0; r < 2; ++r)
    if constexpr (!kOfKeys) mine[r] = gradient.query(p, own, kGroup * warp() + 8 * r + lane() / 4);
  Sums<kDim> sums, sums_of_weights;  // dQ and nothing, or dK and dV
  for (int stage = 0, first = 1; i < p.tiles.count(); stage = 1 - stage, first = 0) {
    const int next = begin_next(meeting, i, 1 - stage, begin);
    if (first) {
      left.load(tiles + kGroup * warp() * kRow<kDim>);
      left_of_weights.load(tiles + (kSize + kGroup * warp() * kRow<kDim>));
    }
    const Other other = meeting.other(i);
    for (int g = 0; g < kGroups; ++g) {
      if (!(other.met >> g & 1)) continue;
      const SharedPointer<bf16> rows = tiles + ((2 + 2 * stage) * kSize + kGroup * g * kRow<kDim>);
      float weights[2][4], ds[2][4];
      left.times(rows, weights), left_of_weights.times(rows + kSize, ds);
      meeting.add_bias(other, g, weights);
      UNROLL
      for (int n = 0; n < 2; ++n) UNROLL
      for (int e = 0; e < 4; ++e) {
        const int slot = 2 * stage * kTile + kGroup * g + 8 * n + lane() % 4 * 2 + e % 2;
        const Query query = kOfKeys ? Query{of_queries[slot], of_queries[slot + kTile]} : mine[e / 2];
        weights[n][e] = cuda::exp2_approximate(weights[n][e] - query.lse2);
        ds[n][e] = weights[n][e] * (ds[n][e] - query.delta);
      }
      if constexpr (kOfKeys) sums_of_weights.add(weights, rows + kSize);
      sums.add(ds, rows);
    }
    __syncthreads();  // the next copy may write here
    i = next;
  }
  const float scale[2] = {p.scale, p.scale}, one[2] = {1, 1};
  const auto place = [&](int part) { return gradient.dqkv + p.sizes.packed_begin(blockIdx.z, part, blockIdx.y); };
  sums.store(place(kOfKeys ? 1 : 0), p.row(), p.tiles, own, scale);
  if constexpr (kOfKeys) sums_of_weights.store(place(2), p.row(), p.tiles, own, one);
}

template <class Problem>
bool is_biased(const Problem& p) {
  return p.bias.relative || p.bias.key;
}

template <class Problem>
Flash flash_of(const Problem& p) {
  const bool biased = is_biased(p);
  Flash f{.qkv = p.qkv,
          .sizes = p.sizes,
          .tiles = flash::tiles_of(p.sizes.grid, p.sizes.prefix(), biased),
          .relative = p.bias.relative,
          .key = p.bias.key,
          .prefix = p.bias.prefix,
          .scale = p.scale,
          .scale2 = p.scale * kLog2E,
          .views = {}};
  if (!biased) return f;
  for (long h = 0; h < std::min<long>(p.sizes.heads, kMostHeads); ++h) {
    if (p.bias.heads) f.views[h] = p.bias.heads[h].effective_view();
    f.views[h].window = p.bias.window;
  }
  return f;
}

template <int kDim>
constexpr long backward_bytes = 12 * kTileSize<kDim> + 16 * kTile;  // beside the table: more than forward's
long table_bytes(const Tiles& tiles) { return 4L * (met_size(tiles) + table_size(tiles)); }

template <class Problem>
bool takes(const Problem& p) {
  const AttentionSizes& z = p.sizes;
  constexpr long kMostGrid = 65535, kMostPlaces = std::numeric_limits<int>::max();
  constexpr long kOfBlock = 99 * 1024;  // on the least GPUs from sm_80 on
  constexpr long kMostBytes = kOfBlock - backward_bytes<64>;
  return z.tokens * z.head_stride() <= kMostPlaces && (z.head_dim == 16 || z.head_dim == 32 || z.head_dim == 64) &&
         z.images <= kMostGrid && z.heads <= kMostGrid && (p.bias.window == 0 || z.heads <= kMostHeads) &&
         cuda::aligned(p.qkv, p.out) && !p.bias.shift &&
         table_bytes(flash::tiles_of(z.grid, z.prefix(), is_biased(p))) <= kMostBytes;
}

template <class F>
void with_dim(long dim, F f) {
  if (dim == 16) return f.template operator()<16>();
  if (dim == 32) return f.template operator()<32>();
  f.template operator()<64>();
}

dim3 grid_of(const Flash& f) {
  return {static_cast<unsigned>(f.tiles.count()), static_cast<unsigned>(f.sizes.heads),
          static_cast<unsigned>(f.sizes.images)};
}

}  // namespace

bool flash_takes(const Attention<bf16>& p) { return takes(p); }
bool flash_takes(const AttentionBackward<bf16>& p) {
  return takes(p) && cuda::aligned(p.dout, p.dqkv) && !p.drelative && !p.dprefix;
}
long flash_workspace(const AttentionSizes& z) { return z.images * z.heads * z.tokens; }

void attention_flash(Cuda cuda, const Attention<bf16>& p) {
  if (p.sizes.images == 0 || p.sizes.heads == 0 || p.sizes.tokens == 0) return;
  const Flash f = flash_of(p);
  with_dim(p.sizes.head_dim, [&]<int kDim>() {
    LAUNCH_WITH_SHARED(flash_forward<kDim>, grid_of(f), dim3(kThreads), 10 * kTileSize<kDim> + table_bytes(f.tiles),
                       cuda, f, p.out, p.lse);
  });
}

void attention_flash_backward(Cuda cuda, const AttentionBackward<bf16>& p) {
  const AttentionSizes& z = p.sizes;
  if (z.images == 0 || z.heads == 0 || z.tokens == 0) return;
  const Flash f = flash_of(p);
  float* const delta = p.workspace;
  const Gradient gradient{.dout = p.dout, .lse = p.lse, .delta = delta, .dqkv = p.dqkv};
  with_dim(z.head_dim, [&]<int kDim>() {
    const long bytes = backward_bytes<kDim> + table_bytes(f.tiles);
    const long threads = flash_workspace(z) * (kDim / 8);
    LAUNCH(find_delta<kDim>, dim3(static_cast<unsigned>((threads + kThreads - 1) / kThreads)), dim3(kThreads), cuda, z,
           p.dout, p.out, delta);
    const auto of_queries = flash_backward<kDim, false>, of_keys = flash_backward<kDim, true>;
    LAUNCH_WITH_SHARED(of_queries, grid_of(f), dim3(kThreads), bytes, cuda, f, gradient);
    LAUNCH_WITH_SHARED(of_keys, grid_of(f), dim3(kThreads), bytes, cuda, f, gradient);
  });
}

long flash_pairs(const FieldOfView& view, Grid grid, long prefix) {
  const Tiles tiles = flash::tiles_of(grid, prefix, true);
  long groups = 0;
  for (int i = 0; i < tiles.count(); ++i)
    for (int j = 0; j < tiles.count(); ++j)
      for (int g = 0; g < tiles[i].groups(); ++g)
        for (int h = 0; h < tiles[j].groups(); ++h) groups += flash::may_see(view, tiles[i], g, tiles[j], h);
  return groups * kGroup * kGroup;
}

}  // namespace kernels
