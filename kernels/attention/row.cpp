// Logits, their maximum, exp and sum: three passes over the tokens.
#include "kernels/attention/row.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kernels {
namespace {

// Adds the bias of all pairs of the query's patch (qy, qx) with patches to their logits.
template <class T>
void add_bias(T* logits, const AttentionRow<T>& p, long qy, long qx) {
  const Grid grid = p.sizes.grid;
  if (p.bias.relative) {
    const T* table = p.bias.relative + p.head * relative_size(grid);
    const FieldOfView windows{.first = {}, .second = {}, .window = p.bias.window};
    for (long y = 0; y < grid.y; ++y)
      for (long x = 0; x < grid.x; ++x)
        logits[y * grid.x + x] += windows.same_window(qy, qx, y, x)
                                      ? table[(grid.y - 1 - y + qy) * (2 * grid.x - 1) + grid.x - 1 - x + qx]
                                      : -std::numeric_limits<T>::infinity();
  }
  if (p.bias.key)
    for (long k = 0; k < grid.patches(); ++k) logits[k] += p.bias.key[p.head * grid.patches() + k];
}

}  // namespace

template <class T>
void attention_row(const AttentionRow<T>& p) {
  const AttentionSizes& z = p.sizes;
  const long stride = z.head_stride(), patch = p.query - z.prefix();
  const T* q = p.qkv + z.packed_begin(p.image, 0, p.head) + p.query * stride;
  const T* k = p.qkv + z.packed_begin(p.image, 1, p.head);
  for (long key = 0; key < z.tokens; ++key, k += stride) {
    T dot = 0;
#pragma omp simd reduction(+ : dot)
    for (long d = 0; d < z.head_dim; ++d) dot += q[d] * k[d];
    p.weights[key] = dot * p.scale;
  }
  if (p.bias.prefix)
    for (long key = 0; key < z.prefix(); ++key) p.weights[key] += p.bias.prefix[2 * p.head + (patch < 0)];
  if (patch >= 0) add_bias(p.weights + z.prefix(), p, patch / z.grid.x, patch % z.grid.x);
  if (p.bias.shift) {
    for (long key = 0; key < z.tokens; ++key)
      p.weights[key] = 1 / (1 + std::exp(-(p.weights[key] + p.bias.shift[p.head])));
    return;
  }
  T max = -std::numeric_limits<T>::infinity(), sum = 0;
  for (long key = 0; key < z.tokens; ++key) max = std::max(max, p.weights[key]);
  if (max == -std::numeric_limits<T>::infinity()) max = 0;
  for (long key = 0; key < z.tokens; ++key) sum += p.weights[key] = std::exp(p.weights[key] - max);
  if (sum == 0) return;  // nothing is visible; a NaN, which std::max drops, is not 0
  for (long key = 0; key < z.tokens; ++key) p.weights[key] /= sum;
}

template void attention_row(const AttentionRow<float>&);
template void attention_row(const AttentionRow<double>&);

}  // namespace kernels
