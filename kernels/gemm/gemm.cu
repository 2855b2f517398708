// Products and linear layers on a GPU: cuBLAS multiplies, one kernel does what follows. What it takes is never rounded
// before: bf16 products come to it in f32.
#include "kernels/gemm/gemm.h"

#include "kernels/cast.h"
#include "kernels/cuda/activations.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/product.h"
#include "kernels/pointwise.h"

namespace kernels {
namespace {

// Weights in the type that they are multiplied in: themselves, or rounded to bf16.
template <class T>
class Weights {
 public:
  Weights(Cuda, const T* w, long) : w_(w) {}
  const T* get() const { return w_; }

 private:
  const T* w_;
};
template <>
class Weights<bf16> {
 public:
  Weights(Cuda cuda, const float* w, long n) : rounded_(cuda, n) {
    narrow<bf16>(cuda, {.y = rounded_.get(), .x = w, .n = n});
  }
  const bf16* get() const { return rounded_.get(); }

 private:
  cuda::Scratch<bf16> rounded_;
};

template <class C, class T>
cuda::Product<C, T> forward_product(C* y, const Linear<T>& p, const T* w) {
  return {.c = y,
          .a = p.x,
          .b = w,
          .m = p.rows,
          .n = p.out,
          .k = p.in,
          .c_row = p.out,
          .a_row = p.in,
          .b_row = p.in,
          .transpose_b = Transpose::yes};
}

// From the product to all that is wanted of it, which may stand in the product's place.
template <class T, class F>
void finish(Cuda cuda, const Linear<T>& p, const Acc<T>* product, F f) {
  using A = Acc<T>;
  const bool vectors = cuda::aligned(p.y, p.activated, p.sum, p.b, p.residual, p.gamma, product);
  cuda::for_each_in_rows<T>(cuda, p.rows, p.out, vectors, [p, product, f] __device__<int kN>(unsigned row, long c) {
    const long i = row * p.out + c;
    auto y = cuda::load<kN>(product + i);
    if (p.b) {
      const auto b = cuda::load<kN>(p.b + c);
      for (int k = 0; k < kN; ++k) y[k] += b[k];
    }
    if (p.sum) {
      const A keep = p.keep ? p.keep[row / static_cast<unsigned>(p.tokens)] : A(1);
      const auto residual = cuda::load<kN>(p.residual + i);
      const auto gamma = p.gamma ? cuda::load<kN>(p.gamma + c) : cuda::all<kN>(A(1));
      cuda::Vector<A, kN> sum;
      for (int k = 0; k < kN; ++k) sum[k] = residual[k] + gamma[k] * y[k] * keep;
      cuda::store(p.sum + i, sum);
    }
    if (p.y) cuda::store(p.y + i, y);
    if (p.activated) {
      for (int k = 0; k < kN; ++k) y[k] = f.value(y[k]);
      cuda::store(p.activated + i, y);
    }
  });
}

template <class T, class F>
void multiply_slope(Cuda cuda, const LinearInputGradient<T>& p, const Acc<T>* product, F f) {
  using A = Acc<T>;
  const auto multiply = [f] __device__(A dx, A pre) { return dx * f.slope(pre); };
  cuda::map(cuda, p.rows * p.in, multiply, p.dx, product, p.pre);
}

}  // namespace

template <class T>
void gemm(Cuda cuda, const Gemm<T>& p) {
  const bool ta = p.transpose_a == Transpose::yes, tb = p.transpose_b == Transpose::yes;
  cuda::product(cuda, cuda::Product<T, T>{.c = p.c,
                                          .a = p.a,
                                          .b = p.b,
                                          .m = p.m,
                                          .n = p.n,
                                          .k = p.k,
                                          .c_row = p.n,
                                          .a_row = ta ? p.m : p.k,
                                          .b_row = tb ? p.k : p.n,
                                          .transpose_a = p.transpose_a,
                                          .transpose_b = p.transpose_b,
                                          .accumulate = p.accumulate});
}

template <class T>
void linear(Cuda cuda, const Linear<T>& p) {
  const Weights<T> w(cuda, p.w, p.in * p.out);
  if (p.y && !p.b && !p.activated && !p.sum) return cuda::product(cuda, forward_product(p.y, p, w.get()));
  T* const place = p.y ? p.y : p.activated;
  if constexpr (std::is_same_v<T, Acc<T>>)
    if (place) {
      cuda::product(cuda, forward_product(place, p, w.get()));
      return cuda::with_activation(p.activation, [&](auto f) { finish(cuda, p, place, f); });
    }
  const cuda::Scratch<Acc<T>> y(cuda, p.rows * p.out);
  cuda::product(cuda, forward_product(y.get(), p, w.get()));
  cuda::with_activation(p.activation, [&](auto f) { finish(cuda, p, y.get(), f); });
}

template <class T>
void linear_input_gradient(Cuda cuda, const LinearInputGradient<T>& p) {
  const Weights<T> w(cuda, p.w, p.in * p.out);
  const auto product = [&]<class C>(C* dx) {
    cuda::product(cuda, cuda::Product<C, T>{.c = dx,
                                            .a = p.dy,
                                            .b = w.get(),
                                            .m = p.rows,
                                            .n = p.in,
                                            .k = p.out,
                                            .c_row = p.in,
                                            .a_row = p.out,
                                            .b_row = p.in});
  };
  if (!p.pre) return product(p.dx);
  const auto finish = [&](const Acc<T>* dx) {
    cuda::with_activation(p.activation, [&](auto f) { multiply_slope(cuda, p, dx, f); });
  };
  if constexpr (std::is_same_v<T, Acc<T>>) {
    product(p.dx), finish(p.dx);
  } else {
    const cuda::Scratch<Acc<T>> dx(cuda, p.rows * p.in);
    product(dx.get()), finish(dx.get());
  }
}

template <class T>
void linear_weight_gradient(Cuda cuda, const LinearWeightGradient<T>& p) {
  cuda::product(cuda, cuda::Product<Acc<T>, T>{.c = p.dw,
                                               .a = p.dy,
                                               .b = p.x,
                                               .m = p.out,
                                               .n = p.in,
                                               .k = p.rows,
                                               .c_row = p.in,
                                               .a_row = p.out,
                                               .b_row = p.in,
                                               .transpose_a = Transpose::yes,
                                               .accumulate = p.accumulate});
  if (p.db) column_sum<T>(cuda, {.out = p.db, .x = p.dy, .rows = p.rows, .cols = p.out, .accumulate = p.accumulate});
}

template void gemm(Cuda, const Gemm<float>&);
template void gemm(Cuda, const Gemm<double>&);
KERNELS_ON_GPU(linear, Linear);
KERNELS_ON_GPU(linear_input_gradient, LinearInputGradient);
KERNELS_ON_GPU(linear_weight_gradient, LinearWeightGradient);

}  // namespace kernels
