// Queries outside of attention's tiles: a few at a time, logits in lanes by keys, outputs by features.
#pragma once
#include "kernels/attention/fused/chunk.h"

namespace kernels::KERNELS_ISA {

inline constexpr long kSingleQueries = 4, kSingleStride = kChunk * kTileQueries / kSingleQueries;
inline constexpr long kSingleKeys = kSingleStride - 16;  // at a time; whole vectors are written

// to[r][d] = by[r] · to[r][d] + Σ_j weights[r][j] · rows[j][d]; `to` (queries, width), weights kSingleStride apart
template <class T, class E>
LOOKHERE_INLINE void add_rows(T* to, long queries, long dim, const T* by, const T* weights, const E* rows, long stride,
                              long count) {
  const long width = padded<T>(dim);
  for_each_column_tile(dim / kLanes<T>, [&]<int kVectors>(long v) {
    for_each_row_tile<kSingleQueries>(queries, [&]<int kRows>(long q) {
      T* const c = to + q * width + v * kLanes<T>;
      register_tile<T, kRows, kVectors>(
          count, [&](int r, long j) { return weights[(q + r) * kSingleStride + j]; },
          [&](long j) { return rows + j * stride + v * kLanes<T>; },
          [&](int r, int i) { return by[q + r] * load(c + r * width + i * kLanes<T>); },
          [&](int r, int i, Vector<T> x) { store(c + r * width + i * kLanes<T>, x); });
    });
  });
  for (long d = dim / kLanes<T> * kLanes<T>; d < dim; ++d)
    for (long q = 0; q < queries; ++q) {
      T sum = by[q] * to[q * width + d];
      for (long j = 0; j < count; ++j) sum += weights[q * kSingleStride + j] * static_cast<T>(rows[j * stride + d]);
      to[q * width + d] = sum;
    }
}

// to[j] = Σ_d row[d] · rows[j][d] for j in [0, count); writes whole vectors
template <class T, class E>
LOOKHERE_INLINE void dots(T* to, const T* row, const E* rows, long stride, long dim, long count) {
  constexpr long n = kLanes<T>;
  for (long j = 0; j < count; j += n) {
    const E* at[n];  // beyond the last key: the last one again
    for (long i = 0; i < n; ++i) at[i] = rows + smaller(j + i, count - 1) * stride;
    Vector<T> products[n] = {};
    for (long d = 0; d + n <= dim; d += n) {
      const Vector<T> x = load(row + d);
#pragma GCC unroll 16
      for (long i = 0; i < n; ++i) products[i] += x * load_as<T>(at[i] + d);
    }
    store(to + j, sums_of_rows<T>(products));
    for (long d = dim / n * n; d < dim; ++d)
      for (long i = 0; i < n; ++i) to[j + i] += row[d] * static_cast<T>(at[i][d]);
  }
}

// The logits, in log2, of a query outside of the tiles for keys from `begin` on; `row` is its scaled query.
template <class S, class O>
LOOKHERE_INLINE void single_logits(Acc<S>* to, const Head<S, O>& head, const Acc<S>* row, long query, long begin,
                                   long count) {
  using T = Acc<S>;
  dots(to, row, head.k + begin * head.stride, head.stride, head.dim, count);
  if (!head.center) return;
  if (head.by_prefix)
    for (long j = 0; j < smaller(count, head.prefix - begin); ++j)
      to[j] += query < head.prefix ? head.from_prefix : head.from_patch;
  if (query < head.prefix) return;
  const std::int32_t* offset = head.plan->offset;
  const T* table = head.center + offset[query - head.prefix];
  for (long j = greater(0, head.prefix - begin); j < count; ++j)
    to[j] += table[-offset[begin + j - head.prefix]] + head.bias_of_key(begin + j);
}

// f(tokens, count) for all of them.
template <class F>
void for_each_single(const HeadPlan& plan, F f) {
  for (long i = 0; i < plan.singles; i += kSingleQueries) f(plan.single + i, smaller(kSingleQueries, plan.singles - i));
}

}  // namespace kernels::KERNELS_ISA
