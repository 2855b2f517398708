// Attention as the formula says it, one query at a time: the first rung of the ladder and the oracle of the others.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention/attention.h"

namespace kernels {
namespace {

// The bias of one pair of tokens, from (dy, dx) each time.
template <class T>
T bias_of(const AttentionBias<T>& bias, const AttentionSizes& z, long h, long query, long key) {
  const long q = query - z.prefix(), k = key - z.prefix();
  if (!bias.heads || q < 0 || k < 0) return 0;
  return static_cast<T>(bias.heads[h].bias(z.grid, q / z.grid.x, q % z.grid.x, k / z.grid.x, k % z.grid.x));
}

// (tokens, head_dim) views into one image and head of packed q, k, v; part 0, 1, 2
template <class T>
T* rows_of(T* qkv, const AttentionSizes& z, long image, long h, long part) {
  return qkv + z.packed_begin(image, part, h);
}

template <class T>
T dot(const T* a, const T* b, long n) {
  T sum = 0;
  for (long i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

template <class T>
T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}

// f(image, head, query) for all of them
template <class F>
void for_each_query(const AttentionSizes& z, F f) {
  for (long image = 0; image < z.images; ++image)
    for (long h = 0; h < z.heads; ++h)
      for (long query = 0; query < z.tokens; ++query) f(image, h, query);
}

}  // namespace

template <class T>
void attention_naive(Cpu, const Attention<T>& p) {
  const AttentionSizes& z = p.sizes;
  const long stride = z.head_stride(), dim = z.head_dim;
  for_each_query(z, [&](long image, long h, long query) {
    const T *q = rows_of(p.qkv, z, image, h, 0), *k = rows_of(p.qkv, z, image, h, 1),
            *v = rows_of(p.qkv, z, image, h, 2);
    const auto logit = [&](long key) {
      return dot(q + query * stride, k + key * stride, dim) * p.scale + bias_of(p.bias, z, h, query, key);
    };
    T* out = p.out + ((image * z.tokens + query) * z.heads + h) * dim;
    T& lse = p.lse[(image * z.heads + h) * z.tokens + query];
    std::fill_n(out, dim, T(0));
    if (p.bias.shift) {
      lse = 0;
      for (long key = 0; key < z.tokens; ++key) {
        const T weight = sigmoid(logit(key) + p.bias.shift[h]);
        for (long d = 0; d < dim; ++d) out[d] += weight * v[key * stride + d];
      }
      return;
    }
    T max = -std::numeric_limits<T>::infinity(), sum = 0;
    for (long key = 0; key < z.tokens; ++key) max = std::max(max, logit(key));
    const T subtract = max == -std::numeric_limits<T>::infinity() ? T(0) : max;
    for (long key = 0; key < z.tokens; ++key) sum += std::exp(logit(key) - subtract);
    lse = subtract + std::log(sum);
    if (sum == 0) return;  // nothing is visible: output 0, lse -inf; a NaN, which std::max drops, is not 0
    for (long key = 0; key < z.tokens; ++key) {
      const T weight = std::exp(logit(key) - lse);
      for (long d = 0; d < dim; ++d) out[d] += weight * v[key * stride + d];
    }
  });
}

template <class T>
void attention_naive_backward(Cpu, const AttentionBackward<T>& p) {
  const AttentionSizes& z = p.sizes;
  const long stride = z.head_stride(), dim = z.head_dim;
  std::fill_n(p.dqkv, z.images * z.tokens * stride, T(0));
  for_each_query(z, [&](long image, long h, long query) {
    const T *q = rows_of(p.qkv, z, image, h, 0) + query * stride, *k = rows_of(p.qkv, z, image, h, 1),
            *v = rows_of(p.qkv, z, image, h, 2);
    T *dq = rows_of(p.dqkv, z, image, h, 0) + query * stride, *dk = rows_of(p.dqkv, z, image, h, 1),
      *dv = rows_of(p.dqkv, z, image, h, 2);
    const long row = ((image * z.tokens + query) * z.heads + h) * dim;
    const T lse = p.lse[(image * z.heads + h) * z.tokens + query], delta = dot(p.dout + row, p.out + row, dim);
    if (lse == -std::numeric_limits<T>::infinity()) return;
    for (long key = 0; key < z.tokens; ++key) {
      const T logit = dot(q, k + key * stride, dim) * p.scale + bias_of(p.bias, z, h, query, key);
      const T weight = p.bias.shift ? sigmoid(logit + p.bias.shift[h]) : std::exp(logit - lse);
      const T dweight = dot(p.dout + row, v + key * stride, dim);
      const T ds = weight * (p.bias.shift ? (1 - weight) * dweight : dweight - delta) * p.scale;
      for (long d = 0; d < dim; ++d) {
        dq[d] += ds * k[key * stride + d];
        dk[key * stride + d] += ds * q[d];
        dv[key * stride + d] += weight * p.dout[row + d];
      }
    }
  });
}

template void attention_naive(Cpu, const Attention<float>&);
template void attention_naive(Cpu, const Attention<double>&);
template void attention_naive_backward(Cpu, const AttentionBackward<float>&);
template void attention_naive_backward(Cpu, const AttentionBackward<double>&);

}  // namespace kernels
