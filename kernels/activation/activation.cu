// Activations and gates on a GPU, by the C library's own functions.
#include "kernels/activation/activation.h"

#include "kernels/cuda/activations.h"
#include "kernels/cuda/map.h"

namespace kernels {
namespace {

template <class T, class Function>
void activate_by(Cuda cuda, const Activate<T>& p, Function f) {
  cuda::for_each(cuda, p.n,
                 [p, f] __device__(long i) { p.y[i] = static_cast<T>(f.value(static_cast<Acc<T>>(p.x[i]))); });
}
template <class T, class Function>
void activate_backward_by(Cuda cuda, const ActivateBackward<T>& p, Function f) {
  using A = Acc<T>;
  cuda::for_each(cuda, p.n, [p, f] __device__(long i) {
    p.dx[i] = static_cast<T>(static_cast<A>(p.dy[i]) * f.slope(static_cast<A>(p.x[i])));
  });
}
template <class T, class Function>
void gate_by(Cuda cuda, const Gate<T>& p, Function f) {
  using A = Acc<T>;
  cuda::for_each(cuda, p.rows * p.cols, [p, f] __device__(long i) {
    const long a = i + i / p.cols * p.cols, b = a + p.cols;  // of x, whose rows are twice as long
    p.y[i] = static_cast<T>(f.value(static_cast<A>(p.x[a])) * static_cast<A>(p.x[b]));
  });
}
template <class T, class Function>
void gate_backward_by(Cuda cuda, const GateBackward<T>& p, Function f) {
  using A = Acc<T>;
  cuda::for_each(cuda, p.rows * p.cols, [p, f] __device__(long i) {
    const long a = i + i / p.cols * p.cols, b = a + p.cols;
    const A dy = static_cast<A>(p.dy[i]), gated = static_cast<A>(p.x[a]), passed = static_cast<A>(p.x[b]);
    p.dx[a] = static_cast<T>(dy * passed * f.slope(gated));
    p.dx[b] = static_cast<T>(dy * f.value(gated));
  });
}

}  // namespace

template <class T>
void activate(Cuda cuda, const Activate<T>& p) {
  cuda::with_activation(p.function, [&](auto f) { activate_by(cuda, p, f); });
}
template <class T>
void activate_backward(Cuda cuda, const ActivateBackward<T>& p) {
  cuda::with_activation(p.function, [&](auto f) { activate_backward_by(cuda, p, f); });
}
template <class T>
void gate(Cuda cuda, const Gate<T>& p) {
  cuda::with_activation(p.function, [&](auto f) { gate_by(cuda, p, f); });
}
template <class T>
void gate_backward(Cuda cuda, const GateBackward<T>& p) {
  cuda::with_activation(p.function, [&](auto f) { gate_backward_by(cuda, p, f); });
}

KERNELS_ON_GPU(activate, Activate);
KERNELS_ON_GPU(activate_backward, ActivateBackward);
KERNELS_ON_GPU(gate, Gate);
KERNELS_ON_GPU(gate_backward, GateBackward);

}  // namespace kernels
