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

struct GeluTanh {
  template <class A>
  __device__ static A sigmoid(A x) {
    return 1 / (1 + std::exp(A(-1.5957691216057308) * (x + A(0.044715) * x * x * x)));
  }
  template <class A>
  __device__ static A value(A x) {
    return x * sigmoid(x);
  }
  template <class A>
  __device__ static A slope(A x) {
    const A s = sigmoid(x), du = A(1.5957691216057308) * (1 + A(0.134145) * x * x);
    return s + x * (s * (1 - s) * du);
  }
};

struct QuickGelu {
  template <class A>
  __device__ static A sigmoid(A x) {
    return 1 / (1 + std::exp(A(-1.702) * x));
  }
  template <class A>
  __device__ static A value(A x) {
    return x * sigmoid(x);
  }
  template <class A>
  __device__ static A slope(A x) {
    const A s = sigmoid(x);
    return s * (1 + A(1.702) * x * (1 - s));
  }
};

struct Softplus {
  template <class A>
  __device__ static A value(A x) {
    return (x > 0 ? x : A(0)) + std::log1p(std::exp(x > 0 ? -x : x));
  }
  template <class A>
  __device__ static A slope(A x) {
    return 1 / (1 + std::exp(-x));
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
    case Activation::gelu_tanh:
      return run(GeluTanh{});
    case Activation::quick_gelu:
      return run(QuickGelu{});
    case Activation::softplus:
      return run(Softplus{});
  }
}

}  // namespace kernels::cuda
