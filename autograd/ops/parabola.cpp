// A bias that each query draws for itself, as more features of queries and keys.
#include "kernels/parabola.h"

#include "autograd/ops.h"
#include "tensor/dispatch.h"

namespace lookhere {

Var with_parabola(const Var& qkv, long head_count, const Var& a, const Var& b, const Tensor& at) {
  const Shape shape = qkv.shape();
  check(shape.rank() == 3 && head_count >= 1 && shape[2] % (3 * head_count) == 0, "parabola: wanted [batch, tokens, 3·",
        head_count, "·head size], got ", shape);
  const long images = shape[0], tokens = shape[1], head_dim = shape[2] / (3 * head_count);
  const Shape a_shape{images, tokens, 3 * head_count}, b_shape{images, tokens, 2 * head_count}, at_shape{tokens, 2};
  check(a.shape() == a_shape, "parabola: a must be ", a_shape, ", got ", a.shape());
  check(!b.defined() || b.shape() == b_shape, "parabola: b must be ", b_shape, ", got ",
        b.defined() ? b.shape() : Shape{});
  check(at.shape() == at_shape, "parabola: coordinates must be ", at_shape, ", got ", at.shape());
  const Dtype dtype = qkv.value().dtype();
  check(dtype != Dtype::bf16 && a.value().dtype() == dtype && at.dtype() == dtype,
        "parabola: all must be f32 or f64, "
        "got ",
        dtype, ", ", a.value().dtype(), " and ", at.dtype());
  Tensor y = empty({images, tokens, 3 * head_count * (head_dim + kernels::kParabolaFeatures)}, qkv.value());
  dispatch(y, [&]<class T>(auto ctx) {
    kernels::parabola<T>(ctx, {.y = y.data<T>(),
                               .x = qkv.value().data<T>(),
                               .a = a.value().data<T>(),
                               .b = b.defined() ? b.value().data<T>() : nullptr,
                               .at = at.data<T>(),
                               .images = images,
                               .tokens = tokens,
                               .heads = head_count,
                               .head_dim = head_dim});
  });
  std::vector<Var> inputs{qkv, a};
  if (b.defined()) inputs.push_back(b);
  return Var::record("parabola", y, inputs, [=, with_b = b.defined()](const Tensor& dy) {
    Tensor dx = empty(shape, dy), da = empty(a_shape, dy), db = with_b ? empty(b_shape, dy) : Tensor();
    dispatch(dy, [&]<class T>(auto ctx) {
      kernels::parabola_backward<T>(ctx, {.dx = dx.data<T>(),
                                          .da = da.data<T>(),
                                          .db = with_b ? db.data<T>() : nullptr,
                                          .dy = dy.data<T>(),
                                          .at = at.data<T>(),
                                          .images = images,
                                          .tokens = tokens,
                                          .heads = head_count,
                                          .head_dim = head_dim});
    });
    Grads grads{dx, da};
    if (with_b) grads.push_back(db);
    return grads;
  });
}

}  // namespace lookhere
