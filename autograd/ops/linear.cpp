// y = x·Wᵀ + b:  dx = dy·W,  dW = dyᵀ·x,  db = Σ dy
#include "autograd/ops.h"
#include "kernels/gemm.h"
#include "kernels/pointwise.h"
#include "tensor/dispatch.h"

namespace lookhere {

Var linear(const Var& x, const Var& w, const Var& b) {
  check(w.shape().rank() == 2 && w.shape()[1] >= 1, "linear: weight must be [out, in], got ", w.shape());
  const long out = w.shape()[0], in = w.shape()[1];
  check(x.shape().rank() >= 1 && x.shape().back() == in, "linear: input must be [..., ", in, "], got ", x.shape());
  check(!b.defined() || b.shape() == Shape{out}, "linear: bias must be ", Shape{out}, ", got ",
        b.defined() ? b.shape() : Shape{});
  std::vector<long> sizes(x.shape().begin(), x.shape().end());
  sizes.back() = out;
  const long rows = x.value().numel() / in;
  Tensor y = empty(Shape(sizes), x.value());
  dispatch(y, [&]<class T>(auto ctx) {
    kernels::linear<T>(ctx, {.y = y.data<T>(),
                             .x = x.value().data<T>(),
                             .w = w.value().data<T>(),
                             .b = b.defined() ? b.value().data<T>() : nullptr,
                             .rows = rows,
                             .in = in,
                             .out = out});
  });
  const bool need_dx = x.requires_grad();
  std::vector<Var> inputs{x, w};
  if (b.defined()) inputs.push_back(b);
  return Var::record("linear", y, inputs,
                     [=, xv = x.value(), wv = w.value(), bv = b.defined() ? b.value() : Tensor()](
                         const Tensor& dy, const GradTargets& into) {
                       Tensor dx = need_dx ? into[0].to_add(xv) : Tensor(), dw = into[1].to_add(wv),
                              db = bv.defined() ? into[2].to_overwrite(bv) : Tensor();
                       dispatch(dy, [&]<class T>(auto ctx) {
                         const T* g = dy.data<T>();
                         if (need_dx)
                           kernels::gemm<T>(ctx, {.c = dx.data<T>(),
                                                  .a = g,
                                                  .b = wv.data<T>(),
                                                  .m = rows,
                                                  .n = in,
                                                  .k = out,
                                                  .accumulate = into[0].accumulate});
                         kernels::gemm<T>(ctx, {.c = dw.data<T>(),
                                                .a = g,
                                                .b = xv.data<T>(),
                                                .m = out,
                                                .n = in,
                                                .k = rows,
                                                .transpose_a = kernels::Transpose::yes,
                                                .accumulate = into[1].accumulate});
                         if (bv.defined())
                           kernels::column_sum<T>(ctx, {.out = db.data<T>(), .x = g, .rows = rows, .cols = out});
                       });
                       return bv.defined() ? Grads{dx, dw, db} : Grads{dx, dw};
                     });
}

}  // namespace lookhere
