// dx = dy ⊙ f'(x);  of a gate y = f(a) ⊙ b:  da = dy ⊙ b ⊙ f'(a),  db = dy ⊙ f(a)
#include "autograd/ops.h"
#include "tensor/dispatch.h"

namespace lookhere {

Var activate(const Var& x, Activation function) {
  Tensor y = empty_like(x.value());
  dispatch_mixed(y, [&]<class T>(auto ctx) {
    kernels::activate<T>(ctx, {.y = y.data<T>(), .x = x.value().data<T>(), .n = y.numel(), .function = function});
  });
  return Var::record(name_of(function), y, {x}, [=, xv = x.value()](const Tensor& dy) {
    Tensor dx = empty_like(dy);
    dispatch_mixed(dy, [&]<class T>(auto ctx) {
      kernels::activate_backward<T>(
          ctx, {.dx = dx.data<T>(), .dy = dy.data<T>(), .x = xv.data<T>(), .n = dy.numel(), .function = function});
    });
    return Grads{dx};
  });
}

Var gelu(const Var& x) { return activate(x, Activation::gelu); }

Var gate(const Var& x, Activation function) {
  const Shape& shape = x.shape();
  check(shape.rank() >= 1 && shape.back() >= 2 && shape.back() % 2 == 0,
        "gate: the last size must be even and above 0, got ", shape);
  const long cols = shape.back() / 2, rows = shape.numel() / shape.back();
  Tensor y = empty(shape.with_back(cols), x.value());
  dispatch_mixed(y, [&]<class T>(auto ctx) {
    kernels::gate<T>(ctx,
                     {.y = y.data<T>(), .x = x.value().data<T>(), .rows = rows, .cols = cols, .function = function});
  });
  return Var::record("gate", y, {x}, [=, xv = x.value()](const Tensor& dy) {
    Tensor dx = empty_like(xv);
    dispatch_mixed(dy, [&]<class T>(auto ctx) {
      kernels::gate_backward<T>(ctx, {.dx = dx.data<T>(),
                                      .dy = dy.data<T>(),
                                      .x = xv.data<T>(),
                                      .rows = rows,
                                      .cols = cols,
                                      .function = function});
    });
    return Grads{dx};
  });
}

Var apply(const MlpActivation& activation, const Var& x) {
  return activation.gated ? gate(x, activation.function) : activate(x, activation.function);
}

}  // namespace lookhere
