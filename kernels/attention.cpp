// Blocked attention on the CPU. It works on Sᵀ: 64 queries lie in the lanes of vector registers, keys and values are
// broadcast from where they are, so that the softmax's maximum and sum run down the lanes and only queries are ever
// transposed. Blocks of keys that no query of a block sees are skipped; nothing of size N×N exists.
#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/tile.h"
#include "kernels/vector_math.h"

namespace kernels {
namespace {

using namespace KERNELS_ISA;

constexpr long kQueries = 64, kKeys = 48;  // a block: Sᵀ is 48 × 64, 12 KiB in f32
template <class T>
constexpr T kInfinity = std::numeric_limits<T>::infinity();

struct Range {
  long begin, end;
  long size() const { return end - begin; }
};

// The patches of a token range as boxes: the rows it touches, over the full width if it touches more than one.
PatchBox box_of(Range tokens, Grid grid, long prefix) {
  const long first = std::max(tokens.begin - prefix, 0L), last = tokens.end - 1 - prefix;
  const long y0 = first / grid.x, y1 = last / grid.x;
  return y0 == y1 ? PatchBox{y0, y1, first % grid.x, last % grid.x} : PatchBox{y0, y1, 0, grid.x - 1};
}

bool may_see(const LookHereHead* head, Grid grid, long prefix, Range queries, Range keys) {
  if (!head || queries.begin < prefix || keys.begin < prefix) return true;
  return may_see(head->effective_view(), box_of(queries, grid, prefix), box_of(keys, grid, prefix));
}

// One image and head: where its rows are, and its bias.
template <class T>
struct HeadTask {
  const T *q, *k, *v;  // (tokens, head_dim), rows `stride` apart
  long stride, tokens, dim;
  Grid grid;
  long prefix;
  const LookHereHead* head;
  const Acc<T>*relative, *key_bias;

  template <class Problem>
  HeadTask(const Problem& p, long image, long h)
      : stride(p.sizes.head_stride()),
        tokens(p.sizes.tokens),
        dim(p.sizes.head_dim),
        grid(p.sizes.grid),
        prefix(p.sizes.prefix()),
        head(p.bias.heads ? p.bias.heads + h : nullptr),
        relative(p.bias.relative ? p.bias.relative + h * relative_size(grid) : nullptr),
        key_bias(p.bias.key ? p.bias.key + h * grid.patches() : nullptr) {
    q = p.qkv + image * tokens * stride + h * dim;
    k = q + p.sizes.heads * dim;
    v = k + p.sizes.heads * dim;
  }
  bool sees(Range queries, Range keys) const { return may_see(head, grid, prefix, queries, keys); }

  // s[key][lane] = bias, the value from which the product of keys and queries goes on to accumulate. Lanes without a
  // query get any finite value or -inf. Writes up to a vector beyond the last row.
  void start_logits(T* s, Range queries, Range keys) const {
    const long first = std::max(queries.begin, prefix) - prefix, last = queries.end - prefix;  // the lanes' patches
    const long width = 2 * grid.x - 1, top = first / grid.x, lane0 = prefix - queries.begin;
    const T* const end = relative + relative_size(grid);
    for (long key = keys.begin; key < keys.end; ++key, s += kQueries) {
      std::fill_n(s, kQueries, T(0));
      if (!relative || key < prefix) continue;
      const long ky = (key - prefix) / grid.x, kx = (key - prefix) % grid.x;
      const T constant = key_bias ? key_bias[key - prefix] : T(0);
      const T* from = relative + (top - ky + grid.y - 1) * width + (grid.x - 1 - kx);  // query column 0 of row `top`
      for (long patch = top * grid.x; patch < last; patch += grid.x, from += width) {  // one grid row of queries
        T* to = s + lane0 + patch;
        const long stop = std::min(grid.x, last - patch);
        for (long x = std::max(first - patch, 0L); x < stop; x += kLanes<T>)
          if (from + x + kLanes<T> <= end)  // whole vectors: what lies beyond the row is overwritten by the next
            store(to + x, load(from + x) + constant);
          else
            for (long k = x; k < std::min(x + kLanes<T>, stop); ++k) to[k] = from[k] + constant;
      }
    }
  }
};

// to[d][lane] = factor · from[lane][d]; lanes beyond the range are 0.
template <class T>
void transpose_lanes(T* to, const T* from, long stride, long dim, long count, T factor) {
  for (long d = 0; d < dim; ++d) {
    for (long i = 0; i < count; ++i) to[d * kQueries + i] = factor * from[i * stride + d];
    std::fill(to + d * kQueries + count, to + (d + 1) * kQueries, T(0));
  }
}

// Online softmax (Milakov & Gimelshein 2018): s becomes exp(s - max), `out` and `sum` are rescaled to the new maximum.
template <class T>
void softmax_step(T* s, long keys, T* out, long dim, T* max, T* sum) {
  T scale[kQueries], subtract[kQueries];
  for (long i = 0; i < kQueries; ++i) scale[i] = max[i];
  for (long j = 0; j < keys; ++j)
    for (long i = 0; i < kQueries; ++i) max[i] = std::max(max[i], s[j * kQueries + i]);
  for (long i = 0; i < kQueries; ++i) {
    subtract[i] = max[i] == -kInfinity<T> ? T(0) : max[i];  // nothing seen yet: keep -inf - (-inf) out
    scale[i] = fast_exp(scale[i] - subtract[i]);
    sum[i] *= scale[i];
  }
  for (long d = 0; d < dim; ++d)
    for (long i = 0; i < kQueries; ++i) out[d * kQueries + i] *= scale[i];
  for (long j = 0; j < keys; ++j)
    for (long i = 0; i < kQueries; ++i) {
      const T p = fast_exp(s[j * kQueries + i] - subtract[i]);
      s[j * kQueries + i] = p;
      sum[i] += p;
    }
}

template <class T>
void forward_block(const HeadTask<T>& t, Range queries, T scale, T* out, long out_stride, T* lse) {
  alignas(64) T qt[kMaxHeadDim * kQueries], ot[kMaxHeadDim * kQueries], s[kKeys * kQueries + kLanes<T>];
  alignas(64) T max[kQueries], sum[kQueries] = {};
  transpose_lanes(qt, t.q + queries.begin * t.stride, t.stride, t.dim, queries.size(), scale);
  std::fill_n(ot, t.dim * kQueries, T(0));
  std::fill_n(max, kQueries, -kInfinity<T>);
  for (long begin = 0; begin < t.tokens; begin += kKeys) {
    const Range keys{begin, std::min(begin + kKeys, t.tokens)};
    if (!t.sees(queries, keys)) continue;
    t.start_logits(s, queries, keys);
    tile_product<T>({.c = s,
                     .c_row = kQueries,
                     .a = t.k + begin * t.stride,
                     .a_row = t.stride,
                     .a_k = 1,
                     .b = qt,
                     .b_row = kQueries,
                     .m = keys.size(),
                     .n = kQueries,
                     .k = t.dim});
    softmax_step(s, keys.size(), ot, t.dim, max, sum);
    tile_product<T>({.c = ot,
                     .c_row = kQueries,
                     .a = t.v + begin * t.stride,
                     .a_row = 1,
                     .a_k = t.stride,
                     .b = s,
                     .b_row = kQueries,
                     .m = t.dim,
                     .n = kQueries,
                     .k = keys.size()});
  }
  for (long i = 0; i < queries.size(); ++i) {
    const T inverse = sum[i] == 0 ? T(0) : 1 / sum[i];
    for (long d = 0; d < t.dim; ++d) out[i * out_stride + d] = ot[d * kQueries + i] * inverse;
    lse[i] = sum[i] == 0 ? -kInfinity<T> : max[i] + std::log(sum[i]);
  }
}

// to[i][d] += from[i][d], from's rows padded to the vector width
template <class T>
void add_rows(T* to, long stride, const T* from, long padded_dim, long dim, long count) {
  for (long i = 0; i < count; ++i)
    for (long d = 0; d < dim; ++d) to[i * stride + d] += from[i * padded_dim + d];
}

// Everything of one block of queries: their dQ, and what they add to the dK and dV of the keys they see.
template <class T>
struct BackwardBlock {
  alignas(64) T qt[kMaxHeadDim * kQueries], dot[kMaxHeadDim * kQueries];  // scaled queries and dO, transposed
  alignas(64) T q[kQueries * kMaxHeadDim], dout[kQueries * kMaxHeadDim];  // the same by rows, padded
  alignas(64) T dqt[kMaxHeadDim * kQueries], dkv[kKeys * kMaxHeadDim];
  alignas(64) T p[kKeys * kQueries + kLanes<T>], ds[kKeys * kQueries];
  alignas(64) T lse[kQueries], delta[kQueries];

  void load(const HeadTask<T>& t, Range queries, T scale, const T* dout_rows, const T* out_rows, long out_stride,
            const T* saved_lse) {
    const long width = padded<T>(t.dim);
    const T* q_rows = t.q + queries.begin * t.stride;
    transpose_lanes(qt, q_rows, t.stride, t.dim, queries.size(), scale);
    transpose_lanes(dot, dout_rows, out_stride, t.dim, queries.size(), T(1));
    std::fill_n(q, kQueries * width, T(0));
    std::fill_n(dout, kQueries * width, T(0));
    std::fill_n(dqt, t.dim * kQueries, T(0));
    std::fill_n(lse, kQueries, kInfinity<T>);  // unused lanes and blind queries: exp(s - inf) = 0
    std::fill_n(delta, kQueries, T(0));
    for (long i = 0; i < queries.size(); ++i) {
      for (long d = 0; d < t.dim; ++d) {
        q[i * width + d] = q_rows[i * t.stride + d] * scale;
        dout[i * width + d] = dout_rows[i * out_stride + d];
        delta[i] += dout_rows[i * out_stride + d] * out_rows[i * out_stride + d];
      }
      if (saved_lse[i] != -kInfinity<T>) lse[i] = saved_lse[i];
    }
  }

  void visit(const HeadTask<T>& t, Range queries, Range keys, T* dk, T* dv) {
    const long n = keys.size(), width = padded<T>(t.dim);
    const T *k_rows = t.k + keys.begin * t.stride, *v_rows = t.v + keys.begin * t.stride;
    t.start_logits(p, queries, keys);
    tile_product<T>({.c = p,
                     .c_row = kQueries,
                     .a = k_rows,
                     .a_row = t.stride,
                     .a_k = 1,
                     .b = qt,
                     .b_row = kQueries,
                     .m = n,
                     .n = kQueries,
                     .k = t.dim});
    for (long j = 0; j < n; ++j)
      for (long i = 0; i < kQueries; ++i) {
        p[j * kQueries + i] = fast_exp(p[j * kQueries + i] - lse[i]);
        ds[j * kQueries + i] = -delta[i];
      }
    tile_product<T>({.c = ds,
                     .c_row = kQueries,
                     .a = v_rows,
                     .a_row = t.stride,
                     .a_k = 1,
                     .b = dot,
                     .b_row = kQueries,
                     .m = n,
                     .n = kQueries,
                     .k = t.dim});
    for (long i = 0; i < n * kQueries; ++i) ds[i] *= p[i];

    tile_product<T>({.c = dqt,
                     .c_row = kQueries,
                     .a = k_rows,
                     .a_row = 1,
                     .a_k = t.stride,
                     .b = ds,
                     .b_row = kQueries,
                     .m = t.dim,
                     .n = kQueries,
                     .k = n});
    std::fill_n(dkv, n * width, T(0));
    tile_product<T>({.c = dkv,
                     .c_row = width,
                     .a = ds,
                     .a_row = kQueries,
                     .a_k = 1,
                     .b = q,
                     .b_row = width,
                     .m = n,
                     .n = width,
                     .k = kQueries});
    add_rows(dk + keys.begin * t.stride, t.stride, dkv, width, t.dim, n);
    std::fill_n(dkv, n * width, T(0));
    tile_product<T>({.c = dkv,
                     .c_row = width,
                     .a = p,
                     .a_row = kQueries,
                     .a_k = 1,
                     .b = dout,
                     .b_row = width,
                     .m = n,
                     .n = width,
                     .k = kQueries});
    add_rows(dv + keys.begin * t.stride, t.stride, dkv, width, t.dim, n);
  }
};

// Work of one image and head, in multiply-adds: how parallel_for decides whether to go parallel.
long work_of(const AttentionSizes& sizes) { return sizes.tokens * sizes.tokens * sizes.head_dim; }

}  // namespace

template <class T>
void attention(Cpu, const Attention<T>& p) {
  const AttentionSizes& z = p.sizes;
  parallel_for_uneven(z.images * z.heads, work_of(z), [&](long index) {
    const long image = index / z.heads, h = index % z.heads;
    const HeadTask<T> task(p, image, h);
    for (long begin = 0; begin < z.tokens; begin += kQueries) {
      T* out = p.out + ((image * z.tokens + begin) * z.heads + h) * z.head_dim;
      forward_block(task, {begin, std::min(begin + kQueries, z.tokens)}, p.scale, out, z.heads * z.head_dim,
                    p.lse + index * z.tokens + begin);
    }
  });
}

template <class T>
void attention_backward(Cpu, const AttentionBackward<T>& p) {
  const AttentionSizes& z = p.sizes;
  const long out_stride = z.heads * z.head_dim;
  parallel_for_uneven(z.images * z.heads, work_of(z), [&](long index) {
    const long image = index / z.heads, h = index % z.heads;
    const HeadTask<T> task(p, image, h);
    T* dq = p.dqkv + image * z.tokens * task.stride + h * z.head_dim;
    T *dk = dq + out_stride, *dv = dk + out_stride;
    for (long token = 0; token < z.tokens; ++token) {
      std::fill_n(dk + token * task.stride, z.head_dim, T(0));
      std::fill_n(dv + token * task.stride, z.head_dim, T(0));
    }
    BackwardBlock<T> block;
    for (long begin = 0; begin < z.tokens; begin += kQueries) {
      const Range queries{begin, std::min(begin + kQueries, z.tokens)};
      const long first = ((image * z.tokens + begin) * z.heads + h) * z.head_dim;
      block.load(task, queries, p.scale, p.dout + first, p.out + first, out_stride, p.lse + index * z.tokens + begin);
      for (long key = 0; key < z.tokens; key += kKeys) {
        const Range keys{key, std::min(key + kKeys, z.tokens)};
        if (task.sees(queries, keys)) block.visit(task, queries, keys, dk, dv);
      }
      for (long i = 0; i < queries.size(); ++i)
        for (long d = 0; d < z.head_dim; ++d) dq[(begin + i) * task.stride + d] = block.dqt[d * kQueries + i] * p.scale;
    }
  });
}

long computed_pairs(const LookHereHead& head, Grid grid, long prefix) {
  const long tokens = grid.patches() + prefix;
  long pairs = 0;
  for (long q = 0; q < tokens; q += kQueries)
    for (long k = 0; k < tokens; k += kKeys) {
      const Range queries{q, std::min(q + kQueries, tokens)}, keys{k, std::min(k + kKeys, tokens)};
      if (may_see(&head, grid, prefix, queries, keys)) pairs += kQueries * keys.size();
    }
  return pairs;
}

long visible_pairs(const LookHereHead& head, Grid grid, long prefix) {
  const FieldOfView view = head.effective_view();
  long pairs = prefix * (2 * grid.patches() + prefix);
  for (long dy = 1 - grid.y; dy < grid.y; ++dy)
    for (long dx = 1 - grid.x; dx < grid.x; ++dx)
      if (view.sees(dy, dx)) pairs += (grid.y - std::abs(dy)) * (grid.x - std::abs(dx));
  return pairs;
}

template void attention(Cpu, const Attention<float>&);
template void attention(Cpu, const Attention<double>&);
template void attention_backward(Cpu, const AttentionBackward<float>&);
template void attention_backward(Cpu, const AttentionBackward<double>&);

}  // namespace kernels
