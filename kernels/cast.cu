// Casts on a GPU, bound by memory.
#include "kernels/cast.h"

#include "kernels/cuda/map.h"

namespace kernels {

template <class T>
void narrow(Cuda cuda, const Narrow<T>& p) {
  const auto same = [] __device__(Wider<T> x) { return x; };
  cuda::map(cuda, p.n, same, p.y, p.x);
}

template <class T>
void widen(Cuda cuda, const Widen<T>& p) {
  const auto same = [] __device__(Acc<T> x) { return x; };
  cuda::map(cuda, p.n, same, p.y, p.x);
}

template void narrow(Cuda, const Narrow<bf16>&);
template void narrow(Cuda, const Narrow<float>&);
template void widen(Cuda, const Widen<bf16>&);
template void widen(Cuda, const Widen<float>&);

}  // namespace kernels
