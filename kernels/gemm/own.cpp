// The library's own matrix products as problems: what is multiplied, where C is, and what happens to it while it is
// still in the cache. The product itself is in kernels/gemm/blocks.h.
#include "kernels/gemm/own.h"

#include "kernels/activation/functions.h"
#include "kernels/gemm/blocks.h"

namespace kernels {
namespace KERNELS_ISA {

template <class T>
void own_gemm(const Gemm<T>& p) {
  const Product<T, T> product{.c = p.c,
                              .start = p.accumulate ? p.c : nullptr,
                              .start_row = p.n,
                              .a = p.a,
                              .b = p.b,
                              .transposed_a = p.transpose_a == Transpose::yes,
                              .transposed_b = p.transpose_b == Transpose::yes,
                              .m = p.m,
                              .n = p.n,
                              .k = p.k};
  multiply<T>(product, [](const Part&, const float*, long) {});
}

template <class T>
void own_linear(const Linear<T>& p) {
  // The sums along k are kept in an output where one of f32 can hold them and is not read meanwhile.
  float* c = nullptr;
  if constexpr (std::is_same_v<T, float>) c = p.y ? p.y : p.sum ? nullptr : p.activated;
  if (!c && p.sum != p.residual) c = p.sum;
  const Product<T, float> product{.c = c,
                                  .start = p.b,
                                  .start_row = 0,
                                  .a = p.x,
                                  .b = p.w,
                                  .transposed_a = false,
                                  .transposed_b = true,
                                  .m = p.rows,
                                  .n = p.out,
                                  .k = p.in};
  multiply<T>(product, [p, c](const Part& part, const float* from, long from_row) {
    for (long r = 0; r < part.rows; ++r) {
      const float* z = from + r * from_row;
      const long row = part.row + r, at = row * p.out + part.column, n = part.columns;
      if (static_cast<void*>(p.y) != c && p.y)
        for (long j = 0; j < n; ++j) p.y[at + j] = static_cast<T>(z[j]);
      if (p.activated)
        with_activation(p.activation, [&, out = p.activated + at](auto f) {
          for (long j = 0; j < n; ++j) out[j] = static_cast<T>(f.value(z[j]));
        });
      if (p.sum) {
        const float keep = p.keep ? p.keep[row / p.tokens] : 1.F;
        const float* gamma = p.gamma ? p.gamma + part.column : nullptr;
        if (gamma)
          for (long j = 0; j < n; ++j) p.sum[at + j] = p.residual[at + j] + gamma[j] * z[j] * keep;
        else
          for (long j = 0; j < n; ++j) p.sum[at + j] = p.residual[at + j] + z[j] * keep;
      }
    }
  });
}

template <class T>
void own_linear_input_gradient(const LinearInputGradient<T>& p) {
  float* c = nullptr;
  if constexpr (std::is_same_v<T, float>) c = p.dx;
  const Product<T, float> product{.c = c,
                                  .start = nullptr,
                                  .start_row = 0,
                                  .a = p.dy,
                                  .b = p.w,
                                  .transposed_a = false,
                                  .transposed_b = false,
                                  .m = p.rows,
                                  .n = p.in,
                                  .k = p.out};
  multiply<T>(product, [p, c](const Part& part, const float* from, long from_row) {
    if (c && !p.pre) return;
    for (long r = 0; r < part.rows; ++r) {
      const float* z = from + r * from_row;
      T* dx = p.dx + (part.row + r) * p.in + part.column;
      const T* pre = p.pre ? p.pre + (part.row + r) * p.in + part.column : nullptr;
      if (pre)
        with_activation(p.activation, [&](auto f) {
          for (long j = 0; j < part.columns; ++j) dx[j] = static_cast<T>(z[j] * f.slope(static_cast<float>(pre[j])));
        });
      else
        for (long j = 0; j < part.columns; ++j) dx[j] = static_cast<T>(z[j]);
    }
  });
}

template <class T>
void own_linear_weight_gradient(const LinearWeightGradient<T>& p) {
  const Product<T, T> product{.c = p.dw,
                              .start = p.accumulate ? p.dw : nullptr,
                              .start_row = p.in,
                              .a = p.dy,
                              .b = p.x,
                              .transposed_a = true,
                              .transposed_b = false,
                              .m = p.out,
                              .n = p.in,
                              .k = p.rows,
                              .a_sum = p.db,
                              .accumulate_sum = p.accumulate};
  multiply<T>(product, [](const Part&, const float*, long) {});
}

}  // namespace KERNELS_ISA

KERNEL(own_gemm, Gemm, float);
KERNEL(own_linear, Linear, float);
KERNEL_OF_PAIRS(own_linear, Linear);
KERNEL(own_linear_input_gradient, LinearInputGradient, float);
KERNEL_OF_PAIRS(own_linear_input_gradient, LinearInputGradient);
KERNEL(own_linear_weight_gradient, LinearWeightGradient, float);
KERNEL_OF_PAIRS(own_linear_weight_gradient, LinearWeightGradient);

}  // namespace kernels
