// Attention in tiles and plain loops, to see what tiles alone are worth: no intrinsics and no vector types, the
// compiler vectorises the innermost loops by itself.
//
// 64 queries at a time meet 64 keys at a time, so what a tile works on stays in the caches. Logits lie transposed, a
// query in each column: the softmax runs down the columns and no sum crosses a vector. It is the online softmax
// (Milakov & Gimelshein 2018; Dao et al. 2022): each query's largest logit and sum are carried from tile to tile of
// keys.
#include <cmath>
#include <limits>

#include "kernels/attention/attention.h"
#include "kernels/simd/math.h"
#include "kernels/simd/vector.h"

namespace kernels {
namespace KERNELS_ISA {
namespace {

constexpr long kTile = 64, kWidestTile = kTile * kMaxHeadDim;

template <class T>
void fill(T* to, T value, long n) {
  for (long i = 0; i < n; ++i) to[i] = value;
}

// Element (r, i) at at[r · row + i · step].
template <class T>
struct Matrix {
  T* at;
  long row, step = 1;
};
template <class T>
constexpr long kColumns = 2 * kLanes<T>;

// C += A·B, for some rows of C: they stay in registers, two vectors of each at a time, while k runs, so that every
// value loaded is used several times. Rows of B are padded to whole kColumns.
template <long kRows, class T>
void multiply_rows(long columns, long depth, Matrix<T> c, Matrix<const T> a, Matrix<const T> b) {
  for (long first = 0; first < columns; first += kColumns<T>) {
    T sum[kRows][kColumns<T>] = {};
    for (long k = 0; k < depth; ++k)
      for (long r = 0; r < kRows; ++r)
        for (long i = 0; i < kColumns<T>; ++i) sum[r][i] += a.at[r * a.row + k * a.step] * b.at[k * b.row + first + i];
    const long count = smaller(kColumns<T>, columns - first);
    for (long r = 0; r < kRows; ++r)
      for (long i = 0; i < count; ++i) c.at[r * c.row + first + i] += sum[r][i];
  }
}
// C is (rows, columns), A (rows, depth), B (depth, columns).
template <class T>
void multiply(long rows, long columns, long depth, Matrix<T> c, Matrix<const T> a, Matrix<const T> b) {
  constexpr long kRows = 4;
  for (; rows >= kRows; rows -= kRows, c.at += kRows * c.row, a.at += kRows * a.row)
    multiply_rows<kRows>(columns, depth, c, a, b);
  for (; rows > 0; --rows, c.at += c.row, a.at += a.row) multiply_rows<1>(columns, depth, c, a, b);
}

// One image and head: its rows and its bias.
template <class T>
struct TiledHead {
  const T *q, *k, *v;        // (tokens, dim), rows `stride` apart
  const T *center, *by_key;  // the middle of its table of the bias by offset, and (patches); or null: no bias
  long stride, tokens, dim, prefix, grid_x;
  T scale;

  template <class Problem>
  TiledHead(const Problem& p, long image, long h) {
    const AttentionSizes& z = p.sizes;
    q = p.qkv + z.packed_begin(image, 0, h), k = p.qkv + z.packed_begin(image, 1, h);
    v = p.qkv + z.packed_begin(image, 2, h);
    const long table = relative_size(z.grid);
    center = p.bias.relative ? p.bias.relative + h * table + table / 2 : nullptr;
    by_key = p.bias.key ? p.bias.key + h * z.grid.patches() : nullptr;
    stride = z.head_stride(), tokens = z.tokens, dim = z.head_dim, prefix = z.prefix(), grid_x = z.grid.x;
    scale = p.scale;
  }
  // The bias of two patches stands at center[place(query) - place(key)].
  std::int32_t place(long patch) const {
    return static_cast<std::int32_t>(patch / grid_x * (2 * grid_x - 1) + patch % grid_x);
  }
};

// Up to 64 queries, a column each; columns without a query hold zeros.
template <class T>
struct QueryTile {
  const TiledHead<T>& head;
  long first, count, prefix;      // its first `prefix` queries are no patches: they have no bias
  std::int32_t place[kTile];      // of the patches
  alignas(64) T qt[kWidestTile];  // (dim, 64)

  QueryTile(const TiledHead<T>& of, long first_query) : head(of), first(first_query) {
    count = smaller(kTile, head.tokens - first);
    prefix = greater(0, head.prefix - first);
    for (long i = 0; i < kTile; ++i) place[i] = i < prefix || i >= count ? 0 : head.place(first + i - head.prefix);
    transpose(qt, head.q, head.stride);
  }
  // to[d][i] = the row of query i
  void transpose(T* to, const T* rows, long stride) const {
    fill(to, T(0), head.dim * kTile);
    for (long i = 0; i < count; ++i)
      for (long d = 0; d < head.dim; ++d) to[d * kTile + i] = rows[(first + i) * stride + d];
  }
  // The other way, with a factor for each query.
  void transpose_back(T* rows, const T* from, long stride, const T* factor) const {
    for (long i = 0; i < count; ++i)
      for (long d = 0; d < head.dim; ++d) rows[(first + i) * stride + d] = from[d * kTile + i] * factor[i];
  }
  // s = scale · K·Qᵀ + bias: (keys, 64), for keys from `key` on
  void logits(T* s, long key, long keys) const {
    fill(s, T(0), keys * kTile);
    multiply<T>(keys, kTile, head.dim, {s, kTile}, {head.k + key * head.stride, head.stride}, {qt, kTile});
    for (long j = 0; j < keys; ++j, s += kTile) {
      for (long i = 0; i < kTile; ++i) s[i] *= head.scale;
      const long patch = key + j - head.prefix;
      if (!head.center || patch < 0) continue;
      const T* table = head.center - head.place(patch);
      const T by_key = head.by_key ? head.by_key[patch] : T(0);
      for (long i = 0; i < kTile; ++i) {
        const T bias = table[place[i]] + by_key;
        s[i] += i < prefix ? T(0) : bias;
      }
    }
  }
};

// f(first key, how many)
template <class F>
void for_each_key_tile(long tokens, F f) {
  for (long key = 0; key < tokens; key += kTile) f(key, smaller(kTile, tokens - key));
}

// The online softmax of a tile's queries.
template <class T>
struct OnlineSoftmax {
  T max[kTile], sum[kTile], rescale[kTile];  // rescale: what sums of earlier keys are multiplied by

  OnlineSoftmax() {
    // Finite, so that -inf minus it stays -inf: where nothing has been seen yet, weights are 0 and not NaN.
    fill(max, std::numeric_limits<T>::lowest(), kTile);
    fill(sum, T(0), kTile);
  }
  // Logits of some more keys, (keys, 64), become weights.
  void weigh(T* s, long keys) {
    T top[kTile];
    for (long i = 0; i < kTile; ++i) top[i] = max[i];
    for (long j = 0; j < keys; ++j)
      for (long i = 0; i < kTile; ++i) top[i] = s[j * kTile + i] > top[i] ? s[j * kTile + i] : top[i];
    for (long i = 0; i < kTile; ++i) rescale[i] = fast_exp(max[i] - top[i]), max[i] = top[i], sum[i] *= rescale[i];
    for (long j = 0; j < keys; ++j)
      for (long i = 0; i < kTile; ++i) sum[i] += s[j * kTile + i] = fast_exp(s[j * kTile + i] - top[i]);
  }
};

template <class T>
void forward_tile(const QueryTile<T>& tile, T* out, long stride, T* lse) {
  const TiledHead<T>& head = tile.head;
  alignas(64) T p[kTile * kTile], outt[kWidestTile];  // (keys, 64) logits, then weights; (dim, 64)
  OnlineSoftmax<T> softmax;
  fill(outt, T(0), head.dim * kTile);
  for_each_key_tile(head.tokens, [&](long key, long keys) {
    tile.logits(p, key, keys);
    softmax.weigh(p, keys);
    for (long d = 0; d < head.dim; ++d)
      for (long i = 0; i < kTile; ++i) outt[d * kTile + i] *= softmax.rescale[i];
    multiply<T>(head.dim, kTile, keys, {outt, kTile}, {head.v + key * head.stride, 1, head.stride}, {p, kTile});
  });
  T inverse[kTile];
  for (long i = 0; i < tile.count; ++i) {
    const bool blind = softmax.sum[i] == 0;  // it sees nothing
    inverse[i] = blind ? T(0) : 1 / softmax.sum[i];
    lse[tile.first + i] = blind ? -std::numeric_limits<T>::infinity() : softmax.max[i] + std::log(softmax.sum[i]);
  }
  tile.transpose_back(out, outt, stride, inverse);
}

// Where one image and head has its gradients, and what they are made from.
template <class T>
struct TiledGradient {
  T *dq, *dk, *dv;      // (tokens, dim), rows as far apart as those of q
  const T *dout, *out;  // (tokens, dim), rows `stride` apart
  const T* lse;         // (tokens)
  long stride;
};

// Rows padded with zeros, for products whose columns are features.
template <class T>
void copy_padded(T* to, long width, const T* rows, long stride, long count, long dim) {
  for (long i = 0; i < count; ++i)
    for (long d = 0; d < width; ++d) to[i * width + d] = d < dim ? rows[i * stride + d] : T(0);
}

template <class T>
T dot(const T* a, const T* b, long n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (long i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// With P and dS transposed:  P = exp(S - lse),  dS = scale · P ⊙ (V·dOᵀ - δ),  dQᵀ = Kᵀ·dS,  dK += dS·Q,  dV += P·dO
template <class T>
void backward_tile(const QueryTile<T>& tile, const TiledGradient<T>& g) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  const TiledHead<T>& head = tile.head;
  const long dim = head.dim, width = (dim + kColumns<T> - 1) / kColumns<T> * kColumns<T>;
  alignas(64) T p[kTile * kTile], ds[kTile * kTile];   // (keys, 64)
  alignas(64) T dqt[kWidestTile], doutt[kWidestTile];  // (dim, 64)
  alignas(64) T q[kWidestTile], dout[kWidestTile];     // (64, width)
  T lse[kTile], delta[kTile], one[kTile];
  fill(dqt, T(0), dim * kTile), fill(one, T(1), kTile), fill(delta, T(0), kTile);
  fill(lse, kInfinity, kTile);  // weights are 0 in columns without a query, and of queries that see nothing
  tile.transpose(doutt, g.dout, g.stride);
  copy_padded(q, width, head.q + tile.first * head.stride, head.stride, tile.count, dim);
  copy_padded(dout, width, g.dout + tile.first * g.stride, g.stride, tile.count, dim);
  for (long i = 0; i < tile.count; ++i) {
    const long query = tile.first + i;
    if (g.lse[query] != -kInfinity) lse[i] = g.lse[query];
    delta[i] = dot(g.dout + query * g.stride, g.out + query * g.stride, dim);
  }
  for_each_key_tile(head.tokens, [&](long key, long keys) {
    const long row = key * head.stride;
    tile.logits(p, key, keys);
    fill(ds, T(0), keys * kTile);
    multiply<T>(keys, kTile, dim, {ds, kTile}, {head.v + row, head.stride}, {doutt, kTile});
    for (long j = 0; j < keys * kTile; j += kTile)
      for (long i = 0; i < kTile; ++i) {
        p[j + i] = fast_exp(p[j + i] - lse[i]);
        ds[j + i] = head.scale * p[j + i] * (ds[j + i] - delta[i]);
      }
    multiply<T>(dim, kTile, keys, {dqt, kTile}, {head.k + row, 1, head.stride}, {ds, kTile});
    multiply<T>(keys, dim, tile.count, {g.dk + row, head.stride}, {ds, kTile}, {q, width});
    multiply<T>(keys, dim, tile.count, {g.dv + row, head.stride}, {p, kTile}, {dout, width});
  });
  tile.transpose_back(g.dq, dqt, head.stride, one);
}

// f(image, head) in parallel: each writes places of its own.
template <class F>
void for_each_head(const AttentionSizes& z, F f) {
  parallel_for(z.images * z.heads, z.tokens * z.tokens * z.head_dim, [&](long i) { f(i / z.heads, i % z.heads); });
}

}  // namespace

template <class T>
void attention_tiled(const Attention<T>& p) {
  const AttentionSizes& z = p.sizes;
  for_each_head(z, [&](long image, long h) {
    const TiledHead<T> head(p, image, h);
    T *out = p.out + z.out_begin(image, h), *lse = p.lse + (image * z.heads + h) * z.tokens;
    for (long first = 0; first < z.tokens; first += kTile)
      forward_tile(QueryTile<T>(head, first), out, z.heads * z.head_dim, lse);
  });
}

template <class T>
void attention_tiled_backward(const AttentionBackward<T>& p) {
  const AttentionSizes& z = p.sizes;
  for_each_head(z, [&](long image, long h) {
    const TiledHead<T> head(p, image, h);
    const TiledGradient<T> g{.dq = p.dqkv + z.packed_begin(image, 0, h),
                             .dk = p.dqkv + z.packed_begin(image, 1, h),
                             .dv = p.dqkv + z.packed_begin(image, 2, h),
                             .dout = p.dout + z.out_begin(image, h),
                             .out = p.out + z.out_begin(image, h),
                             .lse = p.lse + (image * z.heads + h) * z.tokens,
                             .stride = z.heads * z.head_dim};
    for (long t = 0; t < z.tokens; ++t) {
      fill(g.dk + t * head.stride, T(0), z.head_dim);
      fill(g.dv + t * head.stride, T(0), z.head_dim);
    }
    for (long first = 0; first < z.tokens; first += kTile) backward_tile(QueryTile<T>(head, first), g);
  });
}

}  // namespace KERNELS_ISA

KERNEL(attention_tiled, Attention, float);
KERNEL(attention_tiled, Attention, double);
KERNEL(attention_tiled_backward, AttentionBackward, float);
KERNEL(attention_tiled_backward, AttentionBackward, double);

}  // namespace kernels
