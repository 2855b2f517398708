// One row of attention's weights, P[query] = softmax(q·Kᵀ·scale + bias) of one image and head, which `attention` itself
// never has in memory: for those who want to look at it. In host memory.
#pragma once
#include "kernels/attention/attention.h"

namespace kernels {

template <class T>
struct AttentionRow {
  T* weights;             // (tokens) out: their sum is 1; all 0 where the query sees nothing
  const T* qkv;           // (images, tokens, 3, heads, head_dim)
  AttentionBias<T> bias;  // its tables; the heads are not read
  AttentionSizes sizes;
  T scale;  // 1 / sqrt(head_dim)
  long image, head, query;
};
template <class T>
void attention_row(const AttentionRow<T>&);

}  // namespace kernels
