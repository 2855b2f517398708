// One pass over memory each.
#include "kernels/activation/activation.h"

#include "kernels/activation/functions.h"
#include "kernels/simd/map.h"

namespace kernels {
namespace KERNELS_ISA {
namespace {

constexpr long kWork = 8;  // additions that one value takes as much time as

}  // namespace

template <class T>
void activate(const Activate<T>& p) {
  with_activation(p.function, [&](auto f) {
    map<T>(
        p.n, kWork, p.y, [=](Acc<T> x) { return f.value(x); }, p.x);
  });
}

template <class T>
void activate_backward(const ActivateBackward<T>& p) {
  with_activation(p.function, [&](auto f) {
    map<T>(
        p.n, kWork, p.dx, [=](Acc<T> dy, Acc<T> x) { return dy * f.slope(x); }, p.dy, p.x);
  });
}

template <class T>
void gate(const Gate<T>& p) {
  with_activation(p.function, [&](auto f) {
    parallel_for(p.rows, kWork * p.cols, [=](long row) {
      const T *a = p.x + 2 * row * p.cols, *b = a + p.cols;
      map_block<T>(
          p.cols, p.y + row * p.cols, [=](Acc<T> gated, Acc<T> passed) { return f.value(gated) * passed; }, a, b);
    });
  });
}

template <class T>
void gate_backward(const GateBackward<T>& p) {
  with_activation(p.function, [&](auto f) {
    parallel_for(p.rows, 2 * kWork * p.cols, [=](long row) {
      const T *dy = p.dy + row * p.cols, *a = p.x + 2 * row * p.cols, *b = a + p.cols;
      T* da = p.dx + 2 * row * p.cols;
      map_block<T>(
          p.cols, da, [=](Acc<T> d, Acc<T> gated, Acc<T> passed) { return d * passed * f.slope(gated); }, dy, a, b);
      map_block<T>(
          p.cols, da + p.cols, [=](Acc<T> d, Acc<T> gated) { return d * f.value(gated); }, dy, a);
    });
  });
}

}  // namespace KERNELS_ISA

#ifdef KERNELS_PORTABLE
const char* name_of(Activation function) {
  const char* name = "?";
  KERNELS_ISA::with_activation(function, [&](auto f) { name = f.name; });
  return name;
}
#endif

KERNELS(activate, Activate);
KERNELS(activate_backward, ActivateBackward);
KERNELS(gate, Gate);
KERNELS(gate_backward, GateBackward);

}  // namespace kernels
