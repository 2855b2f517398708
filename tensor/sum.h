// The one operation on tensors that is no part of a graph: gradients are added up.
#pragma once
#include "tensor/tensor.h"

namespace lookhere {

// sum = a + b, of one shape, dtype and device; `sum` may be either of them.
void set_sum(const Tensor& sum, const Tensor& a, const Tensor& b);

}  // namespace lookhere
