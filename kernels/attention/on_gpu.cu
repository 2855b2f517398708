// Which kernel is a GPU's `attention`: flash where it takes the problem, else logits by cuBLAS and a masked softmax.
#include <type_traits>

#include "kernels/attention/attention.h"
#include "kernels/attention/flash.h"
#include "kernels/attention/masked_softmax.h"

namespace kernels {
namespace {

template <class Problem>
bool by_flash(const Problem& p) {
  if constexpr (std::is_same_v<Problem, Attention<bf16>> || std::is_same_v<Problem, AttentionBackward<bf16>>)
    return flash_takes(p);
  else
    return false;
}

}  // namespace

template <class T>
long attention_workspace(Cuda, const Attention<T>& p) {
  return by_flash(p) ? 0 : masked_softmax_workspace<T>(p.sizes);
}
template <class T>
long attention_workspace(Cuda, const AttentionBackward<T>& p) {
  return by_flash(p) ? flash_workspace(p.sizes) : masked_softmax_workspace<T>(p.sizes);
}

template <class T>
void attention(Cuda cuda, const Attention<T>& p) {
  if constexpr (std::is_same_v<T, bf16>)
    if (by_flash(p)) return attention_flash(cuda, p);
  attention_masked_softmax(cuda, p);
}
template <class T>
void attention_backward(Cuda cuda, const AttentionBackward<T>& p) {
  if constexpr (std::is_same_v<T, bf16>)
    if (by_flash(p)) return attention_flash_backward(cuda, p);
  attention_masked_softmax_backward(cuda, p);
}

#define FOR_TYPE(T)                                                     \
  template long attention_workspace(Cuda, const Attention<T>&);         \
  template long attention_workspace(Cuda, const AttentionBackward<T>&); \
  template void attention(Cuda, const Attention<T>&);                   \
  template void attention_backward(Cuda, const AttentionBackward<T>&)
FOR_TYPE(float);
FOR_TYPE(double);
FOR_TYPE(bf16);
#undef FOR_TYPE

}  // namespace kernels
