// Tables by offset, of a value for each head: how encodings compute them, and how attention reads them.
#pragma once
#include "autograd/ops.h"

namespace lookhere {

// [n, m] → [m, n]
inline Var transposed(const Var& x) {
  const long n = x.shape()[0], m = x.shape()[1];
  return reshape(patchify(reshape(x, {1, n, 1, m}), 1), {m, n});
}
// [offsets, heads] → [heads, 2·grid.y - 1, 2·grid.x - 1] (attention_learned)
inline Var by_head(const Var& x, Grid grid) {
  return reshape(transposed(x), {x.shape()[1], 2 * grid.y - 1, 2 * grid.x - 1});
}

}  // namespace lookhere
