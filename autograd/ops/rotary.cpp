// Queries and keys turned by their patch's position.
#include "kernels/rotary.h"

#include "autograd/ops.h"
#include "kernels/pointwise.h"
#include "tensor/dispatch.h"

namespace lookhere {

Var rotate(const Var& qkv, long head_count, const Rotation& rotation) {
  const Shape shape = qkv.shape();
  check(shape.rank() == 3 && head_count >= 1 && shape[2] % (3 * head_count) == 0, "rotate: wanted [batch, tokens, 3·",
        head_count, "·head size], got ", shape);
  const long head_dim = shape[2] / (3 * head_count);
  check(head_dim % 4 == 0, "rotate: the head size must be a multiple of 4, got ", head_dim);
  const Shape wanted{rotation.cos.shape()[0], head_dim / 2};
  check(rotation.cos.shape() == wanted && rotation.sin.shape() == wanted, "rotate: cos and sin must be ", wanted,
        ", got ", rotation.cos.shape(), " and ", rotation.sin.shape());
  check(wanted[0] <= shape[1], "rotate: angles for ", wanted[0], " patches want at least as many tokens, got ",
        shape[1]);
  const Dtype acc = acc_of(qkv.value().dtype());
  check(rotation.cos.dtype() == acc && rotation.sin.dtype() == acc, "rotate: cos and sin must be ", acc, ", got ",
        rotation.cos.dtype(), " and ", rotation.sin.dtype());
  const auto turn = [=](const Tensor& x, bool inverse) {
    Tensor y = empty_like(x);
    dispatch_mixed(x, [&]<class T>(auto ctx) {
      kernels::rotary<T>(ctx, {.y = y.data<T>(),
                               .x = x.data<T>(),
                               .cos = rotation.cos.data<kernels::Acc<T>>(),
                               .sin = rotation.sin.data<kernels::Acc<T>>(),
                               .images = shape[0],
                               .tokens = shape[1],
                               .patches = wanted[0],
                               .heads = head_count,
                               .head_dim = head_dim,
                               .inverse = inverse});
    });
    return y;
  };
  return Var::record("rotate", turn(qkv.value(), false), {qkv},
                     [=](const Tensor& dy) { return Grads{turn(dy, true)}; });
}

Var rotate_by(const Var& qkv, long head_count, const Var& angles) {
  const Shape shape = qkv.shape();
  check(shape.rank() == 3 && head_count >= 1 && shape[2] % (12 * head_count) == 0, "rotate: wanted [batch, tokens, 3·",
        head_count, "·a multiple of 4], got ", shape);
  const long width = shape[2] / 3, patches = angles.shape()[0];
  const Shape wanted{patches, width / 2};
  check(angles.shape() == wanted && patches <= shape[1], "rotate: angles must be ", wanted, " for at most ", shape[1],
        " patches, got ", angles.shape());
  const Dtype acc = acc_of(qkv.value().dtype());
  check(angles.value().dtype() == acc, "rotate: angles must be ", acc, ", got ", angles.value().dtype());
  const long count = wanted.numel();
  Tensor waves = empty({2, count}, angles.value());  // all cosines, then all sines
  dispatch(waves, [&]<class T>(auto ctx) {
    kernels::waves<T>(ctx, {.y = waves.data<T>(), .x = angles.value().data<T>(), .rows = 1, .cols = count});
  });
  const auto turn = [=](const Tensor& x, bool inverse) {
    Tensor y = empty_like(x);
    dispatch_mixed(x, [&]<class T>(auto ctx) {
      const auto* cos = waves.data<kernels::Acc<T>>();
      kernels::rotary<T>(ctx, {.y = y.data<T>(),
                               .x = x.data<T>(),
                               .cos = cos,
                               .sin = cos + count,
                               .images = shape[0],
                               .tokens = shape[1],
                               .patches = patches,
                               .heads = head_count,
                               .head_dim = width / head_count,
                               .inverse = inverse,
                               .by_head = true});
    });
    return y;
  };
  const Tensor y = turn(qkv.value(), false);
  return Var::record("rotate", y, {qkv, angles}, [=](const Tensor& dy) {
    Tensor dangles = empty(wanted, waves);
    dispatch_mixed(dy, [&]<class T>(auto ctx) {
      kernels::rotary_angles<T>(ctx, {.dangles = dangles.data<kernels::Acc<T>>(),
                                      .dy = dy.data<T>(),
                                      .y = y.data<T>(),
                                      .images = shape[0],
                                      .tokens = shape[1],
                                      .patches = patches,
                                      .heads = head_count,
                                      .head_dim = width / head_count});
    });
    return Grads{turn(dy, true), dangles};
  });
}

}  // namespace lookhere
