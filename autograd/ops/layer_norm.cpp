// Layer normalisation; the formulas stand in kernels/layer_norm.h.
#include "kernels/layer_norm.h"

#include "autograd/ops.h"
#include "tensor/dispatch.h"

namespace lookhere {

using kernels::Acc;

Var layer_norm(const Var& x, const Var& w, const Var& b, float eps, std::optional<Dtype> dtype) {
  check(x.shape().rank() >= 1 && x.shape().back() >= 1, "layer_norm: input must be [..., features], got ", x.shape());
  const long cols = x.shape().back(), rows = x.value().numel() / cols;
  check(w.shape() == Shape{cols}, "layer_norm: weight must be ", Shape{cols}, ", got ", w.shape());
  check(b.shape() == Shape{cols}, "layer_norm: bias must be ", Shape{cols}, ", got ", b.shape());
  Tensor y = empty(x.shape(), dtype.value_or(x.value().dtype()), x.value().device());
  check(acc_of(y.dtype()) == x.value().dtype(), "layer_norm: ", y.dtype(), " wants ", acc_of(y.dtype()), " input, got ",
        x.value().dtype());
  Tensor mean = empty({rows}, w.value()), rstd = empty({rows}, w.value());
  dispatch_mixed(y, [&]<class T>(auto ctx) {
    kernels::layer_norm<T>(ctx, {.y = y.data<T>(),
                                 .mean = mean.data<Acc<T>>(),
                                 .rstd = rstd.data<Acc<T>>(),
                                 .x = x.value().data<Acc<T>>(),
                                 .w = w.value().data<Acc<T>>(),
                                 .b = b.value().data<Acc<T>>(),
                                 .rows = rows,
                                 .cols = cols,
                                 .eps = eps});
  });
  return Var::record(
      "layer_norm", y, {x, w, b}, [=, xv = x.value(), wv = w.value()](const Tensor& dy, const GradTargets& into) {
        // What the residual connection has sent past the norm already is added in the same pass.
        const Tensor dx = into[0].to_add(xv);
        const bool together = into[1].accumulate == into[2].accumulate;
        const bool accumulate = together && into[1].accumulate;
        const Tensor dw = together ? into[1].to_add(wv) : empty_like(wv),
                     db = together ? into[2].to_add(wv) : empty_like(wv);
        dispatch_mixed(dy, [&]<class T>(auto ctx) {
          kernels::layer_norm_backward<T>(ctx, {.dx = dx.data<Acc<T>>(),
                                                .dw = dw.data<Acc<T>>(),
                                                .db = db.data<Acc<T>>(),
                                                .dy = dy.data<T>(),
                                                .x = xv.data<Acc<T>>(),
                                                .mean = mean.data<Acc<T>>(),
                                                .rstd = rstd.data<Acc<T>>(),
                                                .w = wv.data<Acc<T>>(),
                                                .dresidual = into[0].accumulate ? dx.data<Acc<T>>() : nullptr,
                                                .rows = rows,
                                                .cols = cols,
                                                .accumulate = accumulate});
        });
        return Grads{dx, dw, db};
      });
}

}  // namespace lookhere
