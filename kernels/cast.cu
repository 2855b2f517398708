// Casts on a GPU, bound by memory.
#include "kernels/cast.h"

#include "kernels/cuda/map.h"

namespace kernels {

template <class T>
void narrow(Cuda cuda, const Narrow<T>& p) {
  cuda::for_each(cuda, p.n, [p] __device__(long i) { p.y[i] = static_cast<T>(p.x[i]); });
}

template <class T>
void widen(Cuda cuda, const Widen<T>& p) {
  cuda::for_each(cuda, p.n, [p] __device__(long i) { p.y[i] = static_cast<Wider<T>>(p.x[i]); });
}

template void narrow(Cuda, const Narrow<bf16>&);
template void narrow(Cuda, const Narrow<float>&);
template void widen(Cuda, const Widen<bf16>&);
template void widen(Cuda, const Widen<float>&);

}  // namespace kernels
