// Which kernel is a GPU's `attention`: flash where it takes the problem, else logits by cuBLAS and a masked softmax.
#include "kernels/attention/attention.h"

#include <algorithm>
#include <type_traits>

#include "kernels/attention/flash.h"
#include "kernels/attention/masked_softmax.h"

namespace kernels {

template <class T>
long attention_workspace(Cuda, const AttentionPlan&, const AttentionSizes& sizes) {
  const long logits = masked_softmax_workspace<T>(sizes);
  return std::is_same_v<T, bf16> ? std::max(logits, flash_workspace(sizes)) : logits;
}

template <class T>
void attention(Cuda cuda, const Attention<T>& p) {
  if constexpr (std::is_same_v<T, bf16>)
    if (flash_takes(p)) return attention_flash(cuda, p);
  attention_masked_softmax(cuda, p);
}

template <class T>
void attention_backward(Cuda cuda, const AttentionBackward<T>& p) {
  if constexpr (std::is_same_v<T, bf16>)
    if (flash_takes(p)) return attention_flash_backward(cuda, p);
  attention_masked_softmax_backward(cuda, p);
}

#define FOR_TYPE(T)                                                                        \
  template long attention_workspace<T>(Cuda, const AttentionPlan&, const AttentionSizes&); \
  template void attention(Cuda, const Attention<T>&);                                      \
  template void attention_backward(Cuda, const AttentionBackward<T>&)
FOR_TYPE(float);
FOR_TYPE(double);
FOR_TYPE(bf16);
#undef FOR_TYPE

}  // namespace kernels
