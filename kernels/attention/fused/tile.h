// The 64 queries of a tile of attention in lanes, and the products that both passes have in common.
#pragma once
#include "kernels/attention/fused/chunk.h"
#include "kernels/simd/prefetch.h"

namespace kernels::KERNELS_ISA {

template <class T>
inline constexpr long kTileVectorCount = kTileQueries / kLanes<T>;

// for_each_row_tile that asks for some of what is needed soon before each of them.
template <int kRows, class F>
LOOKHERE_INLINE void for_each_row_tile(long rows, PrefetchQueue& ahead, F f) {
  for_each_row_tile<kRows>(rows, [&]<int kTileOfRows>(long r) {
    ahead.issue();
    f.template operator()<kTileOfRows>(r);
  });
}
// f.template operator()<rows, vectors>(first row, first vector): every register tile of so many rows and vectors.
template <class F>
LOOKHERE_INLINE void for_each_register_tile(long rows, long vectors, PrefetchQueue& ahead, F f) {
  for_each_column_tile(vectors, [&]<int kVectors>(long v) {
    for_each_row_tile<kRowsBeside<kVectors>>(rows, ahead,
                                             [&]<int kRows>(long r) { f.template operator()<kRows, kVectors>(r, v); });
  });
}

// The bias of one vector of queries: pieces of the table that lie side by side, each for some lanes; 0 for the prefix.
template <class T>
struct LaneBias {
  int pieces = 0;
  long step[kLanes<T>];
  LaneMask<T> mask[kLanes<T>];
  Vector<T> patches = {};  // 1 in lanes that hold a patch

  void add(const BiasRun& run, long first_lane) {
    const unsigned bits = run.lanes >> first_lane & ((1U << kLanes<T>)-1U);
    if (bits == 0) return;
    step[pieces] = run.step + first_lane, mask[pieces] = lane_mask<T>(bits);
    const Vector<T> ones = Vector<T>{} + T(1);
    patches = load_where(patches, mask[pieces++], reinterpret_cast<const T*>(&ones));
  }
  LOOKHERE_INLINE Vector<T> load(const T* row) const {
    Vector<T> x = {};
    for (int i = 0; i < pieces; ++i) x = load_where(x, mask[i], row + step[i]);
    return x;
  }
};

// The queries of one tile.
template <class T>
struct Queries {
  long count, vectors;        // lanes in use are not always the first ones: see token
  const std::int32_t* token;  // (64), -1: no query
  LaneBias<T> bias[kTileVectorCount<T>];

  template <class S, class O>
  Queries(const Head<S, O>& head, long tile) {
    const HeadPlan& plan = *head.plan;
    token = plan.token + tile * kTileQueries;
    count = plan.lanes(tile), vectors = count / kLanes<T>;
    if (!head.center) return;
    for (long v = 0; v < vectors; ++v) {
      const std::int32_t* run = plan.group_run + tile * kTileGroups + v / kGroupVectors<T>;
      for (long i = run[0]; i < run[1]; ++i) bias[v].add(plan.bias_run[i], v % kGroupVectors<T> * kLanes<T>);
    }
  }

  // to[s][lane] = slot s of the row of the lane's token, 0 in empty lanes: (dim / values in a slot, 64)
  template <class O, class S>
  void pack(O* to, const S* from, long stride, long dim) const {
    constexpr long n = kLanes<O>;
    const long steps = dim / kSlotValues<O>;
    for (long lane = 0; lane < count; lane += n) {
      long s = 0;
      for (; s + n <= steps; s += n) {
        Vector<O> rows[n];
        for (long i = 0; i < n; ++i)
          rows[i] = token[lane + i] < 0 ? Vector<O>{} : load_slots<O>(from + token[lane + i] * stride, s);
        transpose<O>(rows);
        for (long i = 0; i < n; ++i) store(to + (s + i) * kTileQueries + lane, rows[i]);
      }
      for (; s < steps; ++s)
        for (long i = lane; i < lane + n; ++i)
          to[s * kTileQueries + i] = token[i] < 0 ? O{} : slot<O>(from + token[i] * stride, s);
    }
  }
  // The rows themselves, (64 / values in a slot, width): two lanes' values side by side with pairs. 0 beyond dim.
  template <class O, class S>
  void pack_rows(O* to, const S* from, long stride, long dim) const {
    const long width = padded<T>(dim);
    for (long i = 0; i < count; i += kSlotValues<O>, to += width) {
      const S* row = token[i] < 0 ? nullptr : from + token[i] * stride;
      if constexpr (kPairs<O>)
        side_by_side(to, row, token[i + 1] < 0 ? nullptr : from + token[i + 1] * stride, dim, width);
      else if (row)
        copy_scaled(to, T(1), row, dim), fill(to + dim, T(0), width - dim);
      else
        fill(to, T(0), width);
    }
  }
  // to[token of lane][d] = factor[lane] · from[d][lane]
  template <class S>
  void unpack(S* to, const T* from, long stride, long dim, const T* factor) const {
    constexpr long n = kLanes<T>;
    for (long lane = 0; lane < count; lane += n) {
      const Vector<T> by = KERNELS_ISA::load(factor + lane);
      long d = 0;
      for (; d + n <= dim; d += n) {
        Vector<T> rows[n];
        for (long i = 0; i < n; ++i) rows[i] = KERNELS_ISA::load(from + (d + i) * kTileQueries + lane) * by;
        transpose<T>(rows);
        for (long i = 0; i < n; ++i)
          if (token[lane + i] >= 0) store_as(to + token[lane + i] * stride + d, rows[i]);
      }
      for (; d < dim; ++d)
        for (long i = lane; i < lane + n; ++i)
          if (token[i] >= 0) to[token[i] * stride + d] = static_cast<S>(from[d * kTileQueries + i] * factor[i]);
    }
  }
};

// A tile of Sᵀ = scale·K·Qᵀ + bias: keys j.. of the chunk, its vectors v.. ; finish(row, vector, logits in log2), both
// from 0.
template <int kRows, int kVectors, class S, class O, class T, class Finish>
LOOKHERE_INLINE void logit_tile(const Head<S, O>& head, const Queries<T>& queries, const KeyChunk<S, O>& keys,
                                const O* q, long j, long v, Finish finish) {
  const bool by_key = head.key_bias != nullptr;
  const LaneBias<T>* bias = queries.bias + keys.first_vector + v;
  const O* from = q + (keys.first_vector + v) * kLanes<T>;
  const T scale = head.scale;
  register_tile<O, kRows, kVectors>(
      head.dim / kSlotValues<O>, [&](int r, long s) { return keys.k[j + r][s]; },
      [&](long s) { return from + s * kTileQueries; }, [](int, int) { return Vector<T>{}; },
      [&](int r, int i, Vector<T> x) {
        x *= scale;
        if (const T* row = keys.bias[j + r]) {
          x += bias[i].load(row);
          if (by_key) x += keys.constant[j + r] * bias[i].patches;
        } else if (head.by_prefix) {
          x += head.from_prefix + (head.from_patch - head.from_prefix) * bias[i].patches;
        }
        finish(r, i, x);
      });
}

// to[d][lane] = start + Σ_i weighted[i][d] · weights[i][lane] for the vectors of the chunk; `to` and the result of
// start(vector, old value) are (dim, 64)
template <class S, class O, class Start>
LOOKHERE_INLINE void add_weighted_rows(Acc<S>* to, long dim, const KeyChunk<S, O>& keys, const O* weights,
                                       PrefetchQueue& ahead, Start start) {
  using T = Acc<S>;
  for_each_register_tile(dim, keys.vectors, ahead, [&]<int kRows, int kVectors>(long d, long v) {
    const O* w = weights + v * kLanes<T>;
    T* c = to + d * kTileQueries + (keys.first_vector + v) * kLanes<T>;
    register_tile<O, kRows, kVectors>(
        keys.weighted_count, [&](int r, long i) { return keys.weighted[i][d + r]; },
        [&](long i) { return w + i * kTileQueries; },
        [&](int r, int i) { return start(v + i, KERNELS_ISA::load(c + r * kTileQueries + i * kLanes<T>)); },
        [&](int r, int i, Vector<T> x) { store(c + r * kTileQueries + i * kLanes<T>, x); });
  });
}

#if defined(__AVX512BF16__)
// Weights of pairs of keys, rounded to bf16: to[i][lane] holds those of the keys from first[i] on. `from` is (keys,
// 64).
template <class S>
LOOKHERE_INLINE void pair_up(Pair* to, const float* from, const KeyChunk<S, Pair>& keys) {
  for (long i = 0; i < keys.weighted_count; ++i) {
    const float* row = from + keys.first[i] * kTileQueries;
    const bool single = keys.first[i + 1] - keys.first[i] == 1;
    for (long lane = 0; lane < keys.vectors * kLanes<float>; lane += kLanes<float>)
      store(to + i * kTileQueries + lane,
            pairs_of(load(row + lane), single ? Vector<float>{} : load(row + kTileQueries + lane)));
  }
}
// The same weights by key, pairs of neighbouring lanes: (keys, 32)
template <class S>
LOOKHERE_INLINE void round_rows(Pair* to, const float* from, const KeyChunk<S, Pair>& keys) {
  for (long j = 0; j < keys.count; ++j)
    for (long lane = 0; lane < keys.vectors * kLanes<float>; lane += kLanes<float>)
      store_rounded(to + (j * kTileQueries + lane) / 2, load(from + j * kTileQueries + lane));
}
#endif

}  // namespace kernels::KERNELS_ISA
