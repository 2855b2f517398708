// Queries and keys turned by their patch's position.
#include "kernels/rotary.h"

#include "autograd/ops.h"
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

}  // namespace lookhere
