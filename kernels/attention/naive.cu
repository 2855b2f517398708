// Attention as the formula says it, on a GPU: a thread for each query, in the backward pass one for each key too. No
// atomics: what a thread writes is its own, so two runs give the same bits. The oracle of the other kernels there.
#include <cmath>
#include <limits>

#include "kernels/attention/attention.h"
#include "kernels/cuda/map.h"

namespace kernels {
namespace {

// One head: what its pairs have as bias is found from (dy, dx) each time. The head goes along with the launch.
template <class T>
struct Pairs {
  const T* qkv;
  AttentionSizes sizes;
  LookHereHead head;
  bool biased;
  long h;
  T scale;
  const T* shift;  // or null

  __device__ const T* row(long image, long part, long token) const {
    return qkv + sizes.packed_begin(image, part, h) + token * sizes.head_stride();
  }
  __device__ T dot(const T* a, const T* b) const {
    T sum = 0;
    for (long i = 0; i < sizes.head_dim; ++i) sum += a[i] * b[i];
    return sum;
  }
  __device__ T logit(long image, long query, long key) const {
    const T product = dot(row(image, 0, query), row(image, 1, key)) * scale;
    const long q = query - sizes.prefix(), k = key - sizes.prefix(), columns = sizes.grid.x;
    if (!biased || q < 0 || k < 0) return product;
    return product + static_cast<T>(head.bias(sizes.grid, q / columns, q % columns, k / columns, k % columns));
  }
  __device__ T sigmoid(long image, long query, long key) const {
    return 1 / (1 + std::exp(-(logit(image, query, key) + shift[h])));
  }
};

template <class T, class Problem>
Pairs<T> pairs_of(const Problem& p, long h) {
  const bool biased = p.bias.heads != nullptr;
  return {.qkv = p.qkv,
          .sizes = p.sizes,
          .head = biased ? p.bias.heads[h] : LookHereHead{},
          .biased = biased,
          .h = h,
          .scale = p.scale,
          .shift = p.bias.shift};
}

template <class T>
constexpr T kNothing = -std::numeric_limits<T>::infinity();

// What the gradient of one pair needs.
template <class T>
struct Gradient {
  Pairs<T> pairs;
  const T *dout, *out, *lse;
  T* dqkv;

  __device__ long out_row(long image, long token) const {
    return pairs.sizes.out_begin(image, pairs.h) + token * pairs.sizes.heads * pairs.sizes.head_dim;
  }
  __device__ T weight(long image, long query, long key) const {
    if (pairs.shift) return pairs.sigmoid(image, query, key);
    const T sum = lse[(image * pairs.sizes.heads + pairs.h) * pairs.sizes.tokens + query];
    return sum == kNothing<T> ? T(0) : std::exp(pairs.logit(image, query, key) - sum);
  }
  // dS of the pair, scaled.
  __device__ T ds(long image, long query, long key, T weight) const {
    const T *dy = dout + out_row(image, query), *y = out + out_row(image, query);
    const T dweight = pairs.dot(dy, pairs.row(image, 2, key));
    return weight * (pairs.shift ? (1 - weight) * dweight : dweight - pairs.dot(dy, y)) * pairs.scale;
  }
  __device__ T* gradient_row(long image, long part, long token) const {
    return dqkv + pairs.sizes.packed_begin(image, part, pairs.h) + token * pairs.sizes.head_stride();
  }
};

}  // namespace

template <class T>
void attention_naive(Cuda cuda, const Attention<T>& p) {
  for (long h = 0; h < p.sizes.heads; ++h)
    cuda::for_each(cuda, p.sizes.images * p.sizes.tokens, [p, h, pairs = pairs_of<T>(p, h)] __device__(long i) {
      const long dim = p.sizes.head_dim, image = i / p.sizes.tokens, query = i % p.sizes.tokens;
      T* out = p.out + p.sizes.out_begin(image, h) + query * p.sizes.heads * dim;
      T& lse = p.lse[(image * p.sizes.heads + h) * p.sizes.tokens + query];
      for (long d = 0; d < dim; ++d) out[d] = 0;
      if (pairs.shift) {
        lse = 0;
        for (long key = 0; key < p.sizes.tokens; ++key) {
          const T weight = pairs.sigmoid(image, query, key), *v = pairs.row(image, 2, key);
          for (long d = 0; d < dim; ++d) out[d] += weight * v[d];
        }
        return;
      }
      T max = kNothing<T>, sum = 0;
      for (long key = 0; key < p.sizes.tokens; ++key) {
        const T logit = pairs.logit(image, query, key);
        max = max < logit ? logit : max;
      }
      const T subtract = max == kNothing<T> ? T(0) : max;
      for (long key = 0; key < p.sizes.tokens; ++key) sum += std::exp(pairs.logit(image, query, key) - subtract);
      lse = subtract + std::log(sum);
      if (sum == 0) return;  // nothing is visible; a NaN, which the maximum drops, is not 0
      for (long key = 0; key < p.sizes.tokens; ++key) {
        const T weight = std::exp(pairs.logit(image, query, key) - lse), *v = pairs.row(image, 2, key);
        for (long d = 0; d < dim; ++d) out[d] += weight * v[d];
      }
    });
}

template <class T>
void attention_naive_backward(Cuda cuda, const AttentionBackward<T>& p) {
  const long dim = p.sizes.head_dim, tokens = p.sizes.tokens;
  for (long h = 0; h < p.sizes.heads; ++h) {
    const Gradient<T> g{.pairs = pairs_of<T>(p, h), .dout = p.dout, .out = p.out, .lse = p.lse, .dqkv = p.dqkv};
    cuda::for_each(cuda, p.sizes.images * tokens, [g, dim, tokens] __device__(long i) {
      const long image = i / tokens, query = i % tokens;
      T* dq = g.gradient_row(image, 0, query);
      for (long d = 0; d < dim; ++d) dq[d] = 0;
      for (long key = 0; key < tokens; ++key) {
        const T ds = g.ds(image, query, key, g.weight(image, query, key)), *k = g.pairs.row(image, 1, key);
        for (long d = 0; d < dim; ++d) dq[d] += ds * k[d];
      }
    });
    cuda::for_each(cuda, p.sizes.images * tokens, [g, dim, tokens] __device__(long i) {
      const long image = i / tokens, key = i % tokens;
      T *dk = g.gradient_row(image, 1, key), *dv = g.gradient_row(image, 2, key);
      for (long d = 0; d < dim; ++d) dk[d] = dv[d] = 0;
      for (long query = 0; query < tokens; ++query) {
        const T weight = g.weight(image, query, key), ds = g.ds(image, query, key, weight);
        const T *q = g.pairs.row(image, 0, query), *dy = g.dout + g.out_row(image, query);
        for (long d = 0; d < dim; ++d) dk[d] += ds * q[d], dv[d] += weight * dy[d];
      }
    });
  }
}

template void attention_naive(Cuda, const Attention<float>&);
template void attention_naive(Cuda, const Attention<double>&);
template void attention_naive_backward(Cuda, const AttentionBackward<float>&);
template void attention_naive_backward(Cuda, const AttentionBackward<double>&);

}  // namespace kernels
