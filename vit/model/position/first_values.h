// First values of an encoding's linear layers: PyTorch's, U(±1/√inputs).
#pragma once
#include <cmath>

#include "nn/module.h"

namespace lookhere {

inline Var uniform_by_inputs(Init& init, const Shape& shape) {  // weights
  return init.uniform(shape, 1 / std::sqrt(static_cast<double>(shape.back())));
}
template <long kInputs>
Var uniform_bias(Init& init, const Shape& shape) {
  return init.uniform(shape, 1 / std::sqrt(static_cast<double>(kInputs)));
}

}  // namespace lookhere
