// cuBLAS' place, taken by a loop on the host: each element of C is one sum over k in order.
#include "kernels/cuda/product.h"

#include <bit>

#include "kernels/cuda/emulator/graph.h"
#include "kernels/cuda/emulator/instructions.h"
#include "kernels/cuda/emulator/memory.h"

namespace kernels::cuda {
namespace {

// As the units for products in reduced precision take it.
template <class Sum, class AB>
Sum operand(AB value, bool tf32) {
  if constexpr (std::is_same_v<AB, float>)
    if (tf32) return std::bit_cast<float>(emulator::to_tf32(value));
  return static_cast<Sum>(static_cast<Acc<AB>>(value));
}

template <class C, class AB>
void multiply(const Product<C, AB>& p, bool tf32) {
  using Sum = Acc<C>;
  const emulator::OpenMemory open;
  const bool ta = p.transpose_a == Transpose::yes, tb = p.transpose_b == Transpose::yes;
  parallel_for(p.count * p.m, p.n * p.k, [&](long i) {
    const long batch = i / p.m, row = i % p.m;
    const AB *a = p.a + batch * p.a_next, *b = p.b + batch * p.b_next;
    C* c = p.c + batch * p.c_next + row * p.c_row;
    for (long column = 0; column < p.n; ++column) {
      Sum sum = 0;
      for (long k = 0; k < p.k; ++k)
        sum += operand<Sum>(a[ta ? k * p.a_row + row : row * p.a_row + k], tf32) *
               operand<Sum>(b[tb ? column * p.b_row + k : k * p.b_row + column], tf32);
      sum *= static_cast<Sum>(p.alpha);
      c[column] = static_cast<C>(p.accumulate ? static_cast<Sum>(c[column]) + sum : sum);
    }
  });
}

template <class C, class AB>
void perform(const Product<C, AB>& p) {
  emulator::perform([p, tf32 = tf32_allowed.load()] { multiply(p, tf32); });
}

}  // namespace

void product(Cuda, const Product<float, float>& p) { perform(p); }
void product(Cuda, const Product<double, double>& p) { perform(p); }
void product(Cuda, const Product<float, bf16>& p) { perform(p); }
void product(Cuda, const Product<bf16, bf16>& p) { perform(p); }

}  // namespace kernels::cuda
