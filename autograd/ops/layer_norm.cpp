// Layer normalisation; the formulas stand in kernels/layer_norm.h.
#include "kernels/layer_norm.h"

#include "autograd/ops.h"
#include "tensor/dispatch.h"

namespace lookhere {

using kernels::Acc;

namespace {

// Without b: RMSNorm.
Var norm(const Var& x, const Var& w, const Var& b, double eps, std::optional<Dtype> dtype) {
  const char* name = b.defined() ? "layer_norm" : "rms_norm";
  check(x.shape().rank() >= 1 && x.shape().back() >= 1, name, ": input must be [..., features], got ", x.shape());
  const long cols = x.shape().back(), rows = x.value().numel() / cols;
  check(w.shape() == Shape{cols}, name, ": weight must be ", Shape{cols}, ", got ", w.shape());
  if (b.defined()) check(b.shape() == Shape{cols}, "layer_norm: bias must be ", Shape{cols}, ", got ", b.shape());
  Tensor y = empty(x.shape(), dtype.value_or(x.value().dtype()), x.value().device());
  check(acc_of(y.dtype()) == x.value().dtype(), name, ": ", y.dtype(), " wants ", acc_of(y.dtype()), " input, got ",
        x.value().dtype());
  Tensor mean = empty({rows}, w.value()), rstd = empty({rows}, w.value());
  dispatch_mixed(y, [&]<class T>(auto ctx) {
    kernels::layer_norm<T>(ctx, {.y = y.data<T>(),
                                 .mean = mean.data<Acc<T>>(),
                                 .rstd = rstd.data<Acc<T>>(),
                                 .x = x.value().data<Acc<T>>(),
                                 .w = w.value().data<Acc<T>>(),
                                 .b = b.defined() ? b.value().data<Acc<T>>() : nullptr,
                                 .rows = rows,
                                 .cols = cols,
                                 .eps = eps});
  });
  const auto backward = [=, centred = b.defined(), xv = x.value(), wv = w.value()](const Tensor& dy,
                                                                                   const GradTargets& into) {
    // What the residual connection has sent past the norm already is added in the same pass.
    const Tensor dx = into[0].to_add(xv);
    const bool together = !centred || into[1].accumulate == into[2].accumulate;
    const bool accumulate = together && into[1].accumulate;
    const Tensor dw = together ? into[1].to_add(wv) : empty_like(wv);
    const Tensor db = !centred ? Tensor() : together ? into[2].to_add(wv) : empty_like(wv);
    dispatch_mixed(dy, [&]<class T>(auto ctx) {
      kernels::layer_norm_backward<T>(ctx, {.dx = dx.data<Acc<T>>(),
                                            .dw = dw.data<Acc<T>>(),
                                            .db = centred ? db.data<Acc<T>>() : nullptr,
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
    return centred ? Grads{dx, dw, db} : Grads{dx, dw};
  };
  return Var::record(name, y, b.defined() ? std::vector{x, w, b} : std::vector{x, w}, backward);
}

}  // namespace

Var layer_norm(const Var& x, const Var& w, const Var& b, double eps, std::optional<Dtype> dtype) {
  check(b.defined(), "layer_norm: a bias is missing");
  return norm(x, w, b, eps, dtype);
}
Var rms_norm(const Var& x, const Var& w, double eps, std::optional<Dtype> dtype) { return norm(x, w, {}, eps, dtype); }

}  // namespace lookhere
