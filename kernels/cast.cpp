// Casts on the CPU, bound by memory.
#include "kernels/cast.h"

#include "kernels/simd/rows.h"

namespace kernels {
namespace KERNELS_ISA {

template <class T>
void narrow(const Narrow<T>& p) {
  parallel_blocks(p.n, [=](long begin, long end) {
    if constexpr (std::is_same_v<T, bf16>)
      for_each_vector<float>(end - begin, [y = p.y + begin, x = p.x + begin](long i, auto lanes) {
        store_as(y + i, load_as<float>(x + i, lanes), lanes);
      });
    else
      for (long i = begin; i < end; ++i) p.y[i] = static_cast<T>(p.x[i]);
  });
}

template <class T>
void widen(const Widen<T>& p) {
  using Y = Wider<T>;
  parallel_blocks(p.n, [=](long begin, long end) {
    for_each_vector<Y>(end - begin, [y = p.y + begin, x = p.x + begin](long i, auto lanes) {
      store_as(y + i, load_as<Y>(x + i, lanes), lanes);
    });
  });
}

}  // namespace KERNELS_ISA

KERNEL(narrow, Narrow, bf16);
KERNEL(narrow, Narrow, float);
KERNEL(widen, Widen, bf16);
KERNEL(widen, Widen, float);

}  // namespace kernels
