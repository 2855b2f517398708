// Are all of a tensor's values numbers? NaN and infinities in, and everything computed from them is worthless.
#pragma once
#include "tensor/tensor.h"

namespace lookhere {

// The first element of an f32 or f64 tensor that is NaN or infinite; -1: there is none.
long first_not_finite(const Tensor& t);

// Throws Error "WHAT is not finite at element I" unless all are finite; `what`: any streamable parts.
template <class... What>
void check_finite(const Tensor& t, const What&... what) {
  const long bad = first_not_finite(t);
  check(bad < 0, what..., " is not finite at element ", bad);
}

}  // namespace lookhere
