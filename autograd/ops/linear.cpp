// y = x·Wᵀ + b:  dx = dy·W,  dW = dyᵀ·x,  db = Σ dy;  and two of them with an activation in between.
#include "autograd/ops.h"
#include "kernels/gemm/gemm.h"
#include "tensor/dispatch.h"

namespace lookhere {
namespace {

using kernels::Acc;

// The shape of one layer; throws unless it fits its input.
struct Sizes {
  long rows, in, out;
};
Sizes sizes_of(const char* op, const Shape& x, const Var& w, const Var& b) {
  check(w.shape().rank() == 2 && w.shape()[1] >= 1, op, ": weight must be [out, in], got ", w.shape());
  const long out = w.shape()[0], in = w.shape()[1];
  check(x.rank() >= 1 && x.back() == in, op, ": input must be [..., ", in, "], got ", x);
  check(!b.defined() || b.shape() == Shape{out}, op, ": bias must be ", Shape{out}, ", got ",
        b.defined() ? b.shape() : Shape{});
  return {.rows = x.numel() / in, .in = in, .out = out};
}
void check_precision(const char* op, const Tensor& x, const Var& w) {
  check(w.value().dtype() == acc_of(x.dtype()), op, ": weights for ", x.dtype(), " input must be ", acc_of(x.dtype()),
        ", got ", w.value().dtype());
}

template <class T>
T* optional(const Tensor& t) {
  return t.defined() ? t.data<T>() : nullptr;
}
// A frozen layer has none, and half of its backward pass to do.
bool need_gradient(const Var& w, const Var& b) { return w.requires_grad() || b.requires_grad(); }
Tensor value_of(const Var& v) { return v.defined() ? v.value() : Tensor(); }

// y and activated = f(y): undefined where not wanted.
void forward(const Tensor& y, const Tensor& activated, Activation f, const Tensor& x, const Tensor& w, const Tensor& b,
             const Sizes& z) {
  dispatch_mixed(x, [&]<class T>(auto ctx) {
    kernels::linear<T>(ctx, {.y = optional<T>(y),
                             .activated = optional<T>(activated),
                             .x = x.data<T>(),
                             .w = w.data<Acc<T>>(),
                             .b = optional<Acc<T>>(b),
                             .rows = z.rows,
                             .in = z.in,
                             .out = z.out,
                             .activation = f});
  });
}

// `pre`: if defined, x was f(pre), and the result is the gradient of that.
Tensor input_gradient(const Tensor& dy, const Tensor& w, const Tensor& pre, Activation f, const Shape& shape,
                      const Sizes& z) {
  Tensor dx = empty(shape, dy);
  dispatch_mixed(dy, [&]<class T>(auto ctx) {
    kernels::linear_input_gradient<T>(ctx, {.dx = dx.data<T>(),
                                            .dy = dy.data<T>(),
                                            .w = w.data<Acc<T>>(),
                                            .pre = optional<T>(pre),
                                            .rows = z.rows,
                                            .in = z.in,
                                            .out = z.out,
                                            .activation = f});
  });
  return dx;
}

struct WeightGradient {
  Tensor dw, db;
};
// db: only with a bias. Both are added to what their targets hold, where that is the same for both.
WeightGradient weight_gradient(const Tensor& dy, const Tensor& x, const Tensor& w, const Tensor& b,
                               const GradTarget& dw, const GradTarget* db, const Sizes& z) {
  const bool together = !db || db->accumulate == dw.accumulate;
  WeightGradient g{.dw = together ? dw.to_add(w) : empty_like(w),
                   .db = !db        ? Tensor()
                         : together ? db->to_add(b)
                                    : empty_like(b)};
  dispatch_mixed(dy, [&]<class T>(auto ctx) {
    kernels::linear_weight_gradient<T>(ctx, {.dw = g.dw.data<Acc<T>>(),
                                             .db = optional<Acc<T>>(g.db),
                                             .dy = dy.data<T>(),
                                             .x = x.data<T>(),
                                             .rows = z.rows,
                                             .in = z.in,
                                             .out = z.out,
                                             .accumulate = together && dw.accumulate});
  });
  return g;
}

}  // namespace

Var linear(const Var& x, const Var& w, const Var& b) {
  const Sizes z = sizes_of("linear", x.shape(), w, b);
  check_precision("linear", x.value(), w);
  Tensor y = empty(x.shape().with_back(z.out), x.value());
  forward(y, {}, {}, x.value(), w.value(), value_of(b), z);
  std::vector<Var> inputs{x, w};
  if (b.defined()) inputs.push_back(b);
  return Var::record("linear", y, inputs,
                     [=, need_dx = x.requires_grad(), need_dw = need_gradient(w, b), xv = x.value(), wv = w.value(),
                      bv = value_of(b)](const Tensor& dy, const GradTargets& into) {
                       const WeightGradient g =
                           need_dw ? weight_gradient(dy, xv, wv, bv, into[1], bv.defined() ? &into[2] : nullptr, z)
                                   : WeightGradient{};
                       const Tensor dx = need_dx ? input_gradient(dy, wv, {}, {}, xv.shape(), z) : Tensor();
                       return bv.defined() ? Grads{dx, g.dw, g.db} : Grads{dx, g.dw};
                     });
}

Var mlp(const Var& x, const Var& w1, const Var& b1, const Var& w2, const Var& b2, const MlpActivation& activation) {
  if (activation.gated || !b1.defined() || !b2.defined()) return linear(apply(activation, linear(x, w1, b1)), w2, b2);
  const Activation f = activation.function;
  const Sizes first = sizes_of("mlp", x.shape(), w1, b1);
  const Shape hidden_shape = x.shape().with_back(first.out);
  const Sizes second = sizes_of("mlp", hidden_shape, w2, b2);
  check_precision("mlp", x.value(), w1), check_precision("mlp", x.value(), w2);
  const bool keep = recording_gradients();  // who only evaluates does not need the values before the activation
  const Tensor pre = keep ? empty(hidden_shape, x.value()) : Tensor(), hidden = empty(hidden_shape, x.value());
  const Tensor y = empty(x.shape().with_back(second.out), x.value());
  forward(pre, hidden, f, x.value(), w1.value(), b1.value(), first);
  forward(y, {}, {}, hidden, w2.value(), b2.value(), second);
  return Var::record("mlp", y, {x, w1, b1, w2, b2},
                     [=, need_dx = x.requires_grad(), need_d1 = need_gradient(w1, b1), need_d2 = need_gradient(w2, b2),
                      xv = x.value(), w1v = w1.value(), b1v = b1.value(), w2v = w2.value(),
                      b2v = b2.value()](const Tensor& dy, const GradTargets& into) {
                       const WeightGradient g2 = need_d2
                                                     ? weight_gradient(dy, hidden, w2v, b2v, into[3], &into[4], second)
                                                     : WeightGradient{};
                       const Tensor dpre = input_gradient(dy, w2v, pre, f, hidden_shape, second);
                       const WeightGradient g1 =
                           need_d1 ? weight_gradient(dpre, xv, w1v, b1v, into[1], &into[2], first) : WeightGradient{};
                       const Tensor dx = need_dx ? input_gradient(dpre, w1v, {}, {}, xv.shape(), first) : Tensor();
                       return Grads{dx, g1.dw, g1.db, g2.dw, g2.db};
                     });
}

}  // namespace lookhere
