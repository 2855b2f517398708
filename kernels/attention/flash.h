// Attention on a GPU's matrix units without logits in memory, in bf16: FlashAttention-2 (Dao 2023, arXiv 2307.08691)
// with LookHere's bias from a table by offset, over the tiles that a head sees (flash_tiles.h).
#pragma once
#include "kernels/attention/attention.h"

namespace kernels {

// Whether it can: heads of 16, 32 or 64 features whose rows begin at multiples of 16 bytes, a grid whose offsets fit
// into shared memory, a softmax.
bool flash_takes(const Attention<bf16>&);
// And no gradient of a bias.
bool flash_takes(const AttentionBackward<bf16>&);
// In f32: δ of every query.
long flash_workspace(const AttentionSizes& sizes);

// `lse` as by the others, so that either may go before the other's backward pass. Runs repeat byte for byte.
void attention_flash(Cuda, const Attention<bf16>&);
// Three kernels: δ; dQ by tiles of queries; dK and dV by tiles of keys. Logits are computed twice, and nothing is added
// atomically.
void attention_flash_backward(Cuda, const AttentionBackward<bf16>&);

// How many (query, key) pairs it computes for one head of an image, empty places included: its work, counted.
long flash_pairs(const FieldOfView& view, Grid grid, long prefix);

}  // namespace kernels
