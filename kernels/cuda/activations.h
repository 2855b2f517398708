// The activations on a GPU, by the C library's own functions.
#pragma once
#include <cmath>

#include "kernels/activation/activation.h"
#include "kernels/cuda/cuda.h"

namespace kernels::cuda {

struct Gelu {
  template <class A>
  __device__ static A cdf(A x) {
    return A(0.5) * std::erfc(-x * A(0.70710678118654752));
  }
  template <class A>
  __device__ static A value(A x) {
    return x * cdf(x);
  }
  template <class A>
  __device__ static A slope(A x) {
    return cdf(x) + x * A(0.39894228040143268) * std::exp(A(-0.5) * x * x);
  }
};

struct Silu {
  template <class A>
  __device__ static A sigmoid(A x) {
    return 1 / (1 + std::exp(-x));
  }
  template <class A>
  __device__ static A value(A x) {
    return x * sigmoid(x);
  }
  template <class A>
  __device__ static A slope(A x) {
    const A s = sigmoid(x);
    return s * (1 + x * (1 - s));
  }
};

// run(Gelu{}) and so on.
template <class F>
void with_activation(Activation function, const F& run) {
  switch (function) {
    case Activation::gelu:
      return run(Gelu{});
    case Activation::silu:
      return run(Silu{});
  }
}

}  // namespace kernels::cuda
