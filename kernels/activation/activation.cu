// Activations and gates on a GPU, by the C library's own functions.
#include "kernels/activation/activation.h"

#include "kernels/cuda/activations.h"
#include "kernels/cuda/map.h"

namespace kernels {
namespace {

template <class T, class Function>
void activate_by(Cuda cuda, const Activate<T>& p, Function f) {
  const auto value = [f] __device__(Acc<T> x) { return f.value(x); };
  cuda::map(cuda, p.n, value, p.y, p.x);
}
template <class T, class Function>
void activate_backward_by(Cuda cuda, const ActivateBackward<T>& p, Function f) {
  using A = Acc<T>;
  const auto gradient = [f] __device__(A dy, A x) { return dy * f.slope(x); };
  cuda::map(cuda, p.n, gradient, p.dx, p.dy, p.x);
}
template <class T, class Function>
void gate_by(Cuda cuda, const Gate<T>& p, Function f) {
  using A = Acc<T>;
  const auto gate = [p, f] __device__<int kN>(unsigned row, long column) {
    const long a = row * 2 * p.cols + column;  // of x, whose rows are twice as long
    const auto gated = cuda::load<kN>(p.x + a), passed = cuda::load<kN>(p.x + a + p.cols);
    cuda::Vector<A, kN> y;
    for (int k = 0; k < kN; ++k) y[k] = f.value(gated[k]) * passed[k];
    cuda::store(p.y + row * p.cols + column, y);
  };
  cuda::for_each_in_rows<T>(cuda, p.rows, p.cols, cuda::aligned(p.y, p.x), gate);
}
template <class T, class Function>
void gate_backward_by(Cuda cuda, const GateBackward<T>& p, Function f) {
  using A = Acc<T>;
  const auto gate = [p, f] __device__<int kN>(unsigned row, long column) {
    const long a = row * 2 * p.cols + column, b = a + p.cols;
    const auto gated = cuda::load<kN>(p.x + a), passed = cuda::load<kN>(p.x + b);
    const auto dy = cuda::load<kN>(p.dy + row * p.cols + column);
    cuda::Vector<A, kN> da, db;
    for (int k = 0; k < kN; ++k) da[k] = dy[k] * passed[k] * f.slope(gated[k]), db[k] = dy[k] * f.value(gated[k]);
    cuda::store(p.dx + a, da), cuda::store(p.dx + b, db);
  };
  cuda::for_each_in_rows<T>(cuda, p.rows, p.cols, cuda::aligned(p.dx, p.dy, p.x), gate);
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
