// Layer normalisation; the formulas stand in kernels/layer_norm.h.
#include "kernels/layer_norm.h"

#include "autograd/ops.h"
#include "tensor/dispatch.h"

namespace lookhere {

Var layer_norm(const Var& x, const Var& w, const Var& b, float eps) {
  check(x.shape().rank() >= 1 && x.shape().back() >= 1, "layer_norm: input must be [..., features], got ", x.shape());
  const long cols = x.shape().back(), rows = x.value().numel() / cols;
  check(w.shape() == Shape{cols}, "layer_norm: weight must be ", Shape{cols}, ", got ", w.shape());
  check(b.shape() == Shape{cols}, "layer_norm: bias must be ", Shape{cols}, ", got ", b.shape());
  Tensor y = empty_like(x.value()), mean = empty({rows}, w.value()), rstd = empty({rows}, w.value());
  dispatch(y, [&]<class T>(auto ctx) {
    kernels::layer_norm<T>(ctx, {.y = y.data<T>(),
                                 .mean = mean.data<T>(),
                                 .rstd = rstd.data<T>(),
                                 .x = x.value().data<T>(),
                                 .w = w.value().data<T>(),
                                 .b = b.value().data<T>(),
                                 .rows = rows,
                                 .cols = cols,
                                 .eps = eps});
  });
  return Var::record("layer_norm", y, {x, w, b},
                     [=, xv = x.value(), wv = w.value()](const Tensor& dy, const GradTargets& into) {
                       Tensor dx = empty_like(xv), dw = into[1].to_overwrite(wv), db = into[2].to_overwrite(wv);
                       dispatch(dy, [&]<class T>(auto ctx) {
                         kernels::layer_norm_backward<T>(ctx, {.dx = dx.data<T>(),
                                                               .dw = dw.data<T>(),
                                                               .db = db.data<T>(),
                                                               .dy = dy.data<T>(),
                                                               .x = xv.data<T>(),
                                                               .mean = mean.data<T>(),
                                                               .rstd = rstd.data<T>(),
                                                               .w = wv.data<T>(),
                                                               .rows = rows,
                                                               .cols = cols});
                       });
                       return Grads{dx, dw, db};
                     });
}

}  // namespace lookhere
