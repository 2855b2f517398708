// Element-wise operations.
#include "kernels/pointwise.h"

#include "autograd/ops.h"
#include "kernels/log_distance.h"
#include "tensor/dispatch.h"

namespace lookhere {
namespace {

Tensor scaled(const Tensor& x, double factor) {
  Tensor y = empty_like(x);
  dispatch_mixed(x, [&]<class T>(auto ctx) {
    kernels::scale<T>(
        ctx, {.y = y.data<T>(), .x = x.data<T>(), .n = x.numel(), .scale = static_cast<kernels::Acc<T>>(factor)});
  });
  return y;
}

const i64* live_part(const DropoutKey& key) { return key.live_a.defined() ? key.live_a.data<i64>() : nullptr; }

Tensor product(const Tensor& a, const Tensor& b) {
  Tensor y = empty_like(a);
  dispatch_mixed(a, [&]<class T>(auto ctx) {
    kernels::multiply<T>(ctx, {.y = y.data<T>(), .a = a.data<T>(), .b = b.data<T>(), .n = a.numel()});
  });
  return y;
}

Tensor dropped(const Tensor& x, double p, const DropoutKey& key) {
  Tensor y = empty_like(x);
  dispatch_mixed(x, [&]<class T>(auto ctx) {
    kernels::dropout<T>(ctx, {.y = y.data<T>(),
                              .x = x.data<T>(),
                              .n = x.numel(),
                              .keep = static_cast<float>(1 - p),
                              .seed = key.seed,
                              .a = key.a,
                              .b = key.b,
                              .live_a = live_part(key)});
  });
  return y;
}

}  // namespace

Var add(const Var& a, const Var& b) {
  const long n = a.value().numel(), period = b.value().numel();
  const int skipped = a.shape().rank() - b.shape().rank();
  check(skipped >= 0 && std::equal(b.shape().begin(), b.shape().end(), a.shape().begin() + skipped),
        "add: second shape must be the end of the first, got ", a.shape(), " and ", b.shape());
  Tensor y = empty_like(a.value());
  dispatch_mixed(y, [&]<class T>(auto ctx) {
    kernels::add<T>(ctx,
                    {.y = y.data<T>(), .a = a.value().data<T>(), .b = b.value().data<T>(), .n = n, .period = period});
  });
  return Var::record("add", y, {a, b}, [](const Tensor& dy) { return Grads{dy, dy}; });
}

Var multiply(const Var& a, const Var& b) {
  check(a.shape() == b.shape(), "multiply: shapes must be equal, got ", a.shape(), " and ", b.shape());
  return Var::record("multiply", product(a.value(), b.value()), {a, b},
                     [av = a.value(), bv = b.value()](const Tensor& dy) {
                       return Grads{product(dy, bv), product(dy, av)};
                     });
}

Var scale(const Var& x, double factor) {
  return Var::record("scale", scaled(x.value(), factor), {x},
                     [factor](const Tensor& dy) { return Grads{scaled(dy, factor)}; });
}

Var tanh(const Var& x) {
  Tensor y = empty_like(x.value());
  dispatch_mixed(y, [&]<class T>(auto ctx) {
    kernels::tanh<T>(ctx, {.y = y.data<T>(), .x = x.value().data<T>(), .n = y.numel()});
  });
  return Var::record("tanh", y, {x}, [y](const Tensor& dy) {
    Tensor dx = empty_like(dy);
    dispatch_mixed(dy, [&]<class T>(auto ctx) {
      kernels::tanh_backward<T>(ctx, {.dx = dx.data<T>(), .dy = dy.data<T>(), .y = y.data<T>(), .n = dy.numel()});
    });
    return Grads{dx};
  });
}

Var waves(const Var& x) {
  check(x.shape().rank() >= 1 && x.shape().back() >= 1, "waves: wanted [..., n], got ", x.shape());
  const Shape shape = x.shape();
  const long cols = shape.back(), rows = shape.numel() / cols;
  Tensor y = empty(shape.with_back(2 * cols), x.value());
  dispatch_mixed(y, [&]<class T>(auto ctx) {
    kernels::waves<T>(ctx, {.y = y.data<T>(), .x = x.value().data<T>(), .rows = rows, .cols = cols});
  });
  return Var::record("waves", y, {x}, [=](const Tensor& dy) {
    Tensor dx = empty(shape, dy);
    dispatch_mixed(dy, [&]<class T>(auto ctx) {
      kernels::waves_backward<T>(
          ctx, {.dx = dx.data<T>(), .dy = dy.data<T>(), .y = y.data<T>(), .rows = rows, .cols = cols});
    });
    return Grads{dx};
  });
}

Var log_distance(const Tensor& distances, const Var& parameters, double unit, double farthest) {
  const Tensor& p = parameters.value();  // copied by the lambda
  check(parameters.shape() == Shape{2} && distances.dtype() == p.dtype(), "log_distance: wanted [2] in ",
        distances.dtype(), ", got ", parameters.shape(), " in ", p.dtype());
  check(unit > 0 && farthest > 0, "log_distance: unit and farthest must be above 0, got ", unit, " and ", farthest);
  Tensor y = empty_like(distances);
  dispatch(y, [&]<class T>(auto ctx) {
    kernels::log_distance<T>(ctx, {.y = y.data<T>(),
                                   .d = distances.data<T>(),
                                   .p = p.data<T>(),
                                   .n = y.numel(),
                                   .unit = static_cast<T>(unit),
                                   .farthest = static_cast<T>(farthest)});
  });
  return Var::record("log_distance", y, {parameters}, [=](const Tensor& dy) {
    Tensor dp = empty_like(p);
    dispatch(dy, [&]<class T>(auto ctx) {
      kernels::log_distance_backward<T>(ctx, {.dp = dp.data<T>(),
                                              .dy = dy.data<T>(),
                                              .y = y.data<T>(),
                                              .d = distances.data<T>(),
                                              .p = p.data<T>(),
                                              .n = y.numel(),
                                              .unit = static_cast<T>(unit),
                                              .farthest = static_cast<T>(farthest)});
    });
    return Grads{dp};
  });
}

Var sum(const Var& x) {
  Tensor y = empty({1}, x.value());
  dispatch(y, [&]<class T>(auto ctx) {
    kernels::column_sum<T>(ctx, {.out = y.data<T>(), .x = x.value().data<T>(), .rows = x.value().numel(), .cols = 1});
  });
  return Var::record("sum", y, {x}, [shape = x.shape()](const Tensor& dy) {
    const Tensor dx = full(shape, 1, dy);
    dispatch(dx, [&]<class T>(auto ctx) {
      kernels::scale<T>(ctx,
                        {.y = dx.data<T>(), .x = dx.data<T>(), .n = dx.numel(), .scale = 1, .times = dy.data<T>()});
    });
    return Grads{dx};
  });
}

Var dropout(const Var& x, double p, const DropoutKey& key) {
  check(p >= 0 && p < 1, "dropout: probability must be in [0, 1), got ", p);
  if (p == 0) return x;
  return Var::record("dropout", dropped(x.value(), p, key), {x},
                     [p, key](const Tensor& dy) { return Grads{dropped(dy, p, key)}; });
}

Tensor drop_path(long n, double p, const DropoutKey& key, Dtype dtype, Device device) {
  check(p >= 0 && p < 1, "drop_path: probability must be in [0, 1), got ", p);
  Tensor factors = empty({n}, dtype, device);
  dispatch(factors, [&]<class T>(auto ctx) {
    kernels::drop_path<T>(ctx, {.y = factors.data<T>(),
                                .n = n,
                                .p = p,
                                .seed = key.seed,
                                .a = key.a,
                                .b = key.b,
                                .purpose = static_cast<std::uint32_t>(Purpose::drop_path),
                                .live_a = live_part(key)});
  });
  return factors;
}

Var cast(const Var& x, Dtype dtype) {
  const Dtype from = x.value().dtype();
  if (from == dtype) return x;
  return Var::record("cast", x.value().to(dtype), {x}, [from](const Tensor& dy) { return Grads{dy.to(from)}; });
}

Var residual(const Var& x, const Var& branch, const Var& gamma, const Tensor& keep) {
  using kernels::Acc;
  const Shape& shape = x.shape();
  check(shape.rank() == 3 && branch.shape() == shape, "residual: both must be [batch, tokens, features], got ", shape,
        " and ", branch.shape());
  const long images = shape[0], tokens = shape[1], cols = shape[2];
  const Dtype dtype = branch.value().dtype(), acc = x.value().dtype();
  check(acc == acc_of(dtype), "residual: a ", dtype, " branch wants an ", acc_of(dtype), " stream, got ", acc);
  check(!gamma.defined() || gamma.shape() == Shape{cols}, "residual: gamma must be ", Shape{cols}, ", got ",
        gamma.defined() ? gamma.shape() : Shape{});
  check(!keep.defined() || keep.shape() == Shape{images}, "residual: keep must be ", Shape{images}, ", got ",
        keep.shape());
  const Tensor gv = gamma.defined() ? gamma.value() : Tensor();
  const auto pointer = []<class T>(const Tensor& t, T*) { return t.defined() ? t.data<T>() : nullptr; };
  Tensor y = empty_like(x.value());
  dispatch_mixed(branch.value(), [&]<class T>(auto ctx) {
    Acc<T>* const type = nullptr;
    kernels::residual<T>(ctx, {.y = y.data<Acc<T>>(),
                               .x = x.value().data<Acc<T>>(),
                               .branch = branch.value().data<T>(),
                               .gamma = pointer(gv, type),
                               .keep = pointer(keep, type),
                               .images = images,
                               .tokens = tokens,
                               .cols = cols});
  });
  std::vector<Var> inputs{x, branch};
  if (gamma.defined()) inputs.push_back(gamma);
  // dγ alone needs the branch; without any factor its gradient is the stream's, and nothing is computed.
  const Tensor kept = gv.defined() ? branch.value() : Tensor();
  return Var::record("residual", y, inputs, [=](const Tensor& dy, const GradTargets& into) {
    if (!gv.defined() && !keep.defined() && dtype == acc) return Grads{dy, dy};
    Tensor dbranch = empty(shape, dtype, dy.device()), dgamma = gv.defined() ? into[2].to_add(gv) : Tensor();
    dispatch_mixed(dbranch, [&]<class T>(auto ctx) {
      Acc<T>* const type = nullptr;
      kernels::residual_backward<T>(ctx, {.dbranch = dbranch.data<T>(),
                                          .dgamma = pointer(dgamma, type),
                                          .dy = dy.data<Acc<T>>(),
                                          .branch = kept.defined() ? kept.data<T>() : nullptr,
                                          .gamma = pointer(gv, type),
                                          .keep = pointer(keep, type),
                                          .images = images,
                                          .tokens = tokens,
                                          .cols = cols,
                                          .accumulate = gv.defined() && into[2].accumulate});
    });
    Grads grads{dy, dbranch};
    if (dgamma.defined()) grads.push_back(dgamma);
    return grads;
  });
}

}  // namespace lookhere
