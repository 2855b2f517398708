// From an activation's name to its code, so that a loop over values is compiled for each and chosen once.
#pragma once
#include "kernels/activation/activation.h"
#include "kernels/activation/gelu.h"
#include "kernels/activation/gelu_tanh.h"
#include "kernels/activation/quick_gelu.h"
#include "kernels/activation/silu.h"
#include "kernels/activation/softplus.h"

namespace kernels::KERNELS_ISA {

// f(Gelu{}) and so on: types with value(x) and slope(x) = value'(x).
template <class F>
LOOKHERE_INLINE void with_activation(Activation function, const F& f) {
  switch (function) {
    case Activation::gelu:
      return f(Gelu{});
    case Activation::silu:
      return f(Silu{});
    case Activation::gelu_tanh:
      return f(GeluTanh{});
    case Activation::quick_gelu:
      return f(QuickGelu{});
    case Activation::softplus:
      return f(Softplus{});
  }
}

}  // namespace kernels::KERNELS_ISA
