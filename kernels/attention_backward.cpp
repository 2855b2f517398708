// Fused attention on the CPU, backward. With δ = Σ dO ⊙ O, tile by tile:
//   Pᵀ = exp(Sᵀ - lse),  dSᵀ = Pᵀ ⊙ (V·dOᵀ - δ),  dQᵀ = Kᵀ·dSᵀ,  dK += dSᵀ·Q,  dV += Pᵀ·dO
// One thread has all tiles of an image and head, so keys' gradients are added in a fixed order where they belong.
#include <cmath>
#include <limits>

#include "kernels/attention.h"
#include "kernels/attention_tile.h"
#include "kernels/attention_work.h"

namespace kernels {
namespace KERNELS_ISA {
namespace {

// to[j][d] += Σ_i weights[j][i] · rows[i][d] for i in [0, lanes): `rows` are (lanes, width), padded to whole vectors
template <class T>
LOOKHERE_INLINE void add_to_rows(T* const* to, long count, long dim, const T* weights, const T* rows, long width,
                                 long lanes) {
  for_each_column_tile(dim / kLanes<T>, [&]<int kVectors>(long v) {
    const T* b = rows + v * kLanes<T>;
    for_each_row_tile<kRowsBeside<kVectors>>(count, [&]<int kRows>(long j) {
      const T* w = weights + j * kTileQueries;
      register_tile<T, kRows, kVectors>(
          lanes, [&](int r, long i) { return w[r * kTileQueries + i]; }, [&](long i) { return b + i * width; },
          [&](int r, int i) { return load(to[j + r] + (v + i) * kLanes<T>); },
          [&](int r, int i, Vector<T> x) { store(to[j + r] + (v + i) * kLanes<T>, x); });
    });
  });
  const long done = dim / kLanes<T> * kLanes<T>;
  if (done == dim) return;  // the rest of a row may not be written as a whole vector: it ends inside of one
  for_each_row_tile<8>(count, [&]<int kRows>(long j) {
    const T* w = weights + j * kTileQueries;
    register_tile<T, kRows, 1>(
        lanes, [&](int r, long i) { return w[r * kTileQueries + i]; }, [&](long i) { return rows + i * width + done; },
        [](int, int) { return Vector<T>{}; },
        [&](int r, int, Vector<T> x) {
          for (long d = done; d < dim; ++d) to[j + r][d] += x[d - done];
        });
  });
}

// Where one image and head has its gradients.
template <class T>
struct HeadGradient {
  T *dq, *dk, *dv;      // (tokens, dim), rows as far apart as those of q, k and v
  const T *dout, *out;  // (tokens, dim), rows `stride` apart
  long stride;
  const T* lse;      // (tokens)
  long table_shift;  // from a value of the bias table to its gradient; 0: not wanted

  HeadGradient(const AttentionBackward<T>& p, long image, long h)
      : stride(p.sizes.heads * p.sizes.head_dim),
        lse(p.lse + (image * p.sizes.heads + h) * p.sizes.tokens),
        table_shift(p.drelative ? p.plan->workspace() : 0) {
    dq = p.dqkv + image * p.sizes.tokens * p.sizes.head_stride() + h * p.sizes.head_dim;
    dk = dq + stride, dv = dk + stride;
    dout = p.dout + image * p.sizes.tokens * stride + h * p.sizes.head_dim;
    out = p.out + (dout - p.dout);
  }
};

// e^-lse of a query that saw nothing is 0, not infinite.
template <class T>
T saved_lse(T lse) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  return lse == -kInfinity ? kInfinity : lse * static_cast<T>(kLog2e);
}

template <class T>
struct Backward {
  alignas(64) T qt[kMaxHeadDim * kTileQueries], doutt[kMaxHeadDim * kTileQueries];  // (dim, 64), qt scaled for logits
  alignas(64) T q[kTileQueries * kMaxHeadDim], dout[kTileQueries * kMaxHeadDim];    // (64, width), q scaled for dK
  alignas(64) T dqt[kMaxHeadDim * kTileQueries];                                    // (dim, 64)
  alignas(64) T p[kChunk * kTileQueries], ds[kChunk * kTileQueries];                // (keys, 64)
  alignas(64) T lse[kTileQueries], delta[kTileQueries];                             // lse in log2, delta negated

  void start(const Head<T>& head, const HeadGradient<T>& g, const Queries<T>& queries, T scale) {
    const long width = padded<T>(head.dim);
    queries.pack(qt, head.q, head.stride, head.dim, head.scale);
    queries.pack(doutt, g.dout, g.stride, head.dim, T(1));
    for (long i = 0; i < head.dim * kTileQueries; ++i) dqt[i] = 0;
    for (long i = 0; i < queries.count; ++i) {
      const long token = queries.token[i];
      lse[i] = token < 0 ? std::numeric_limits<T>::infinity() : saved_lse(g.lse[token]);
      delta[i] = token < 0 ? T(0) : -dot(g.dout + token * g.stride, g.out + token * g.stride, head.dim);
      for (long d = 0; d < head.dim; ++d) {
        q[i * width + d] = token < 0 ? T(0) : head.q[token * head.stride + d] * scale;
        dout[i * width + d] = token < 0 ? T(0) : g.dout[token * g.stride + d];
      }
      for (long d = head.dim; d < width; ++d) q[i * width + d] = dout[i * width + d] = 0;
    }
  }

  void add(const Head<T>& head, const HeadGradient<T>& g, const Queries<T>& queries, const KeyChunk<T>& keys) {
    const long width = padded<T>(head.dim), lane = keys.first_vector * kLanes<T>;
    logits(head, queries, keys, qt,
           [&](long j, long v, Vector<T> x) { store(p + j * kTileQueries + v * kLanes<T>, x); });
    for (long v = 0; v < keys.vectors; ++v) {
      const Vector<T> subtract = load(lse + lane + v * kLanes<T>);
      T* column = p + v * kLanes<T>;
#pragma GCC unroll 4
      for (long j = 0; j < keys.count; ++j)
        store(column + j * kTileQueries, exp2(load(column + j * kTileQueries) - subtract));
    }
    for_each_column_tile(keys.vectors, [&]<int kVectors>(long v) {
      const long at = lane + v * kLanes<T>;
      for_each_row_tile<kRowsBeside<kVectors>>(keys.count, [&]<int kRows>(long j) {
        register_tile<T, kRows, kVectors>(
            head.dim, [&](int r, long d) { return keys.v[j + r][d]; },
            [&](long d) { return doutt + d * kTileQueries + at; },
            [&](int, int i) { return load(delta + at + i * kLanes<T>); },
            [&](int r, int i, Vector<T> x) {
              const long to = (j + r) * kTileQueries + (v + i) * kLanes<T>;
              store(ds + to, x * load(p + to));
            });
      });
    });
    add_weighted_rows(dqt, head.dim, keys, keys.k, ds, [](long, Vector<T> old) { return old; });
    T* rows[kChunk];
    for (long j = 0; j < keys.count; ++j) rows[j] = g.dv + (keys.v[j] - head.v);
    add_to_rows(rows, keys.count, head.dim, p, dout + lane * width, width, keys.vectors * kLanes<T>);
    for (long j = 0; j < keys.count; ++j) rows[j] = g.dk + (keys.k[j] - head.k);
    add_to_rows(rows, keys.count, head.dim, ds, q + lane * width, width, keys.vectors * kLanes<T>);
    if (g.table_shift) add_to_table(g, queries, keys);
  }

  // The table's gradient: what LaneBias::load read as vectors goes back as vectors.
  void add_to_table(const HeadGradient<T>& g, const Queries<T>& queries, const KeyChunk<T>& keys) {
    for (long j = 0; j < keys.count; ++j) {
      if (!keys.bias[j]) continue;
      T* row = const_cast<T*>(keys.bias[j]) + g.table_shift;
      for (long v = 0; v < keys.vectors; ++v) {
        const LaneBias<T>& bias = queries.bias[keys.first_vector + v];
        const Vector<T> x = load(ds + j * kTileQueries + v * kLanes<T>);
        for (int i = 0; i < bias.pieces; ++i)
          store_where(row + bias.step[i], bias.mask[i], load_where(Vector<T>{}, bias.mask[i], row + bias.step[i]) + x);
      }
    }
  }

  void finish(const Head<T>& head, const HeadGradient<T>& g, const Queries<T>& queries, T scale) {
    for (T& factor : delta) factor = scale;
    queries.unpack(g.dq, dqt, head.stride, head.dim, delta);
  }

  // One query by itself.
  void loose(const Head<T>& head, const HeadGradient<T>& g, long query, T scale) {
    const T* dout_row = g.dout + query * g.stride;
    const T shift = saved_lse(g.lse[query]), sum = dot(dout_row, g.out + query * g.stride, head.dim);
    for (long d = 0; d < head.dim; ++d) {
      qt[d] = head.q[query * head.stride + d] * head.scale, q[d] = head.q[query * head.stride + d] * scale;
      dqt[d] = 0, dout[d] = dout_row[d];
    }
    for (long begin = 0; begin < head.tokens; begin += kLoose) {
      const long count = head.tokens - begin < kLoose ? head.tokens - begin : kLoose;
      for (long j = 0; j < count; ++j) p[j] = loose_logit(head, qt, query, begin + j) - shift;
      for (long j = 0; j < count; j += kLanes<T>) store(p + j, exp2(load(p + j)));
      for (long j = 0; j < count; ++j) {
        ds[j] = p[j] * (dot(dout, head.v + (begin + j) * head.stride, head.dim) - sum);
        T *dk = g.dk + (begin + j) * head.stride, *dv = g.dv + (begin + j) * head.stride;
        for (long d = 0; d < head.dim; ++d) dk[d] += ds[j] * q[d], dv[d] += p[j] * dout[d];
        const T* bias = query >= head.prefix && g.table_shift ? head.bias_row(begin + j) : nullptr;
        if (bias) const_cast<T*>(bias)[g.table_shift + head.layout->offset.data()[query - head.prefix]] += ds[j];
      }
      add_rows(dqt, head.dim, head.k + begin * head.stride, head.stride, ds, count);
    }
    for (long d = 0; d < head.dim; ++d) g.dq[query * head.stride + d] = dqt[d] * scale;
  }
  static constexpr long kLoose = kChunk * kTileQueries - kLanes<T>;
};

// f(value in the table, value in the order of bias.relative) for every offset of one head
template <class T, class F>
void for_each_offset(const AttentionBackward<T>& p, long h, F f) {
  const Grid grid = p.plan->grid;
  const HeadLayout& layout = *p.plan->heads[h];
  T* center = p.workspace + p.plan->workspace() + h * p.plan->table_stride + AttentionPlan::kTablePad + layout.center;
  const long down = layout.step(1, 0), right = layout.step(0, 1);
  T* to = p.drelative + h * relative_size(grid);
  for (long dy = grid.y - 1; dy > -grid.y; --dy)
    for (long dx = grid.x - 1; dx > -grid.x; --dx, ++to) f(center[dy * down + dx * right], *to);
}

}  // namespace

template <class T>
void attention_backward(const AttentionBackward<T>& p) {
  make_tables(*p.plan, p.bias, p.workspace);
  const auto backward = [&](const AttentionPart& part) {
    Backward<T> state;
    KeyList list;
    const HeadLayout& layout = *p.plan->heads[part.head];
    for (long image = part.first_image; image < part.last_image; ++image) {
      const HeadGradient<T> g(p, image, part.head);
      const long row = p.sizes.head_stride();
      for (long token = 0; token < p.sizes.tokens; ++token)
        for (long d = 0; d < p.sizes.head_dim; ++d) g.dk[token * row + d] = g.dv[token * row + d] = 0;
    }
    if (p.drelative) for_each_offset(p, part.head, [](T& value, T&) { value = 0; });
    for (long tile = 0; tile < layout.tiles(); ++tile) {
      const Queries<T> queries(Head<T>(p, part.first_image, part.head), tile);
      KeyCursor at;
      next_keys(layout, p.plan->grid, p.plan->prefix, tile, at, list);
      for (long image = part.first_image; image < part.last_image; ++image) {
        const Head<T> head(p, image, part.head);
        const HeadGradient<T> g(p, image, part.head);
        state.start(head, g, queries, p.scale);
        for_each_chunk(head, tile, list, at, [&](const KeyChunk<T>& keys) { state.add(head, g, queries, keys); });
        state.finish(head, g, queries, p.scale);
      }
    }
    for (long image = part.first_image; image < part.last_image; ++image)
      for (std::size_t i = 0; i < layout.loose.size(); ++i)
        state.loose(Head<T>(p, image, part.head), HeadGradient<T>(p, image, part.head), layout.loose.data()[i],
                    p.scale);
    if (p.drelative) for_each_offset(p, part.head, [](const T& value, T& to) { to = value; });
  };
  // The gradient of a head's table is a sum over all images: one thread adds them.
  for_each_part(*p.plan, p.sizes, false, backward, p.drelative ? p.sizes.images : 0);
}

}  // namespace KERNELS_ISA

KERNEL(attention_backward, AttentionBackward, float);
KERNEL(attention_backward, AttentionBackward, double);

}  // namespace kernels
