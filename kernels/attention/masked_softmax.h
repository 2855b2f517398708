// Attention on a GPU as three steps: logits Q·Kᵀ by cuBLAS, one kernel that masks, penalises and normalises their rows
// in place, P·V by cuBLAS. The bias of a pair is found from its coordinates: there is no mask and no N×N bias. Logits
// are in memory for some images, heads or queries at a time, in f32 for bf16. The same bits every time: nothing is
// added atomically.
#pragma once
#include "kernels/attention/attention.h"

namespace kernels {

// How many logits are in memory at a time, but for a single query's: 256 MiB of f32.
inline constexpr long kMostLogits = 1L << 26;

// In values of Acc<T>, for the backward pass, which needs more.
template <class T>
long masked_softmax_workspace(const AttentionSizes& sizes, long most_logits = kMostLogits);
// Where one head's queries do not fit at once (more than 8192 tokens), dK and dV are summed in T over their parts.
template <class T>
void attention_masked_softmax(Cuda, const Attention<T>&, long most_logits = kMostLogits);
template <class T>
void attention_masked_softmax_backward(Cuda, const AttentionBackward<T>&, long most_logits = kMostLogits);

}  // namespace kernels
