// Operations that move tokens; each gradient is the opposite move.
#include "autograd/ops.h"
#include "kernels/layout.h"
#include "kernels/pointwise.h"
#include "tensor/dispatch.h"

namespace lookhere {
namespace {

void check_tokens(const char* op, const Var& x) {
  check(x.shape().rank() == 3, op, ": wanted [batch, tokens, features], got ", x.shape());
}

// `count` blocks of `size` values; the offsets and strides are in elements.
struct Blocks {
  long to_offset, to_stride, from_offset, from_stride, count, size;
};
void copy_blocks(const Tensor& to, const Tensor& from, const Blocks& b) {
  dispatch(to, [&]<class T>(auto ctx) {
    kernels::copy_blocks<T>(ctx, {.to = to.data<T>() + b.to_offset,
                                  .from = from.data<T>() + b.from_offset,
                                  .count = b.count,
                                  .size = b.size,
                                  .to_stride = b.to_stride,
                                  .from_stride = b.from_stride});
  });
}

}  // namespace

Var reshape(const Var& x, const Shape& shape) {
  return Var::record("reshape", x.value().reshape(shape), {x},
                     [old = x.shape()](const Tensor& dy) { return Grads{dy.reshape(old)}; });
}

Var patchify(const Var& images, long patch) {
  const Shape& shape = images.shape();
  check(shape.rank() == 4, "patchify: wanted [batch, channels, height, width], got ", shape);
  check(patch >= 1 && shape[2] >= patch && shape[3] >= patch && shape[2] % patch == 0 && shape[3] % patch == 0,
        "patchify: height and width must be multiples of the patch size ", patch, ", got ", shape[2], "x", shape[3]);
  const Grid grid{shape[2] / patch, shape[3] / patch};
  const long count = shape[0], channels = shape[1];
  const auto problem = [=]<class T>(T* patches, T* image) {
    return kernels::Patchify<T>{
        .patches = patches, .image = image, .images = count, .channels = channels, .patch = patch, .grid = grid};
  };
  Tensor y = empty({count, grid.patches(), channels * patch * patch}, images.value());
  dispatch(y, [&]<class T>(auto ctx) { kernels::patchify(ctx, problem(y.data<T>(), images.value().data<T>())); });
  return Var::record("patchify", y, {images}, [=, shape = images.shape()](const Tensor& dy) {
    Tensor dx = empty(shape, dy);
    dispatch(dy, [&]<class T>(auto ctx) { kernels::unpatchify(ctx, problem(dy.data<T>(), dx.data<T>())); });
    return Grads{dx};
  });
}

Var prepend_token(const Var& token, const Var& x) {
  check_tokens("prepend_token", x);
  const long batch = x.shape()[0], tokens = x.shape()[1], cols = x.shape()[2];
  check(token.shape() == Shape({1, 1, cols}), "prepend_token: token must be ", Shape{1, 1, cols}, ", got ",
        token.shape());
  const long in_size = tokens * cols, out_size = in_size + cols;
  Tensor y = empty({batch, tokens + 1, cols}, x.value());
  copy_blocks(
      y, token.value(),
      {.to_offset = 0, .to_stride = out_size, .from_offset = 0, .from_stride = 0, .count = batch, .size = cols});
  copy_blocks(y, x.value(),
              {.to_offset = cols,
               .to_stride = out_size,
               .from_offset = 0,
               .from_stride = in_size,
               .count = batch,
               .size = in_size});
  return Var::record("prepend_token", y, {token, x}, [=](const Tensor& dy) {
    // The engine sums the token's gradient over the batch: it was broadcast.
    Tensor dtoken = empty({batch, 1, 1, cols}, dy), dx = empty({batch, tokens, cols}, dy);
    copy_blocks(
        dtoken, dy,
        {.to_offset = 0, .to_stride = cols, .from_offset = 0, .from_stride = out_size, .count = batch, .size = cols});
    copy_blocks(dx, dy,
                {.to_offset = 0,
                 .to_stride = in_size,
                 .from_offset = cols,
                 .from_stride = out_size,
                 .count = batch,
                 .size = in_size});
    return Grads{dtoken, dx};
  });
}

Var select_token(const Var& x, long index) {
  check_tokens("select_token", x);
  const long batch = x.shape()[0], tokens = x.shape()[1], cols = x.shape()[2];
  check(0 <= index && index < tokens, "select_token: token ", index, " of ", tokens);
  const long size = tokens * cols;
  Tensor y = empty({batch, cols}, x.value());
  copy_blocks(y, x.value(),
              {.to_offset = 0,
               .to_stride = cols,
               .from_offset = index * cols,
               .from_stride = size,
               .count = batch,
               .size = cols});
  return Var::record("select_token", y, {x}, [=](const Tensor& dy) {
    Tensor dx = zeros({batch, tokens, cols}, dy);
    copy_blocks(dx, dy,
                {.to_offset = index * cols,
                 .to_stride = size,
                 .from_offset = 0,
                 .from_stride = cols,
                 .count = batch,
                 .size = cols});
    return Grads{dx};
  });
}

Var mean_tokens(const Var& x, long first) {
  check_tokens("mean_tokens", x);
  const long batch = x.shape()[0], tokens = x.shape()[1], cols = x.shape()[2];
  check(0 <= first && first < tokens, "mean_tokens: first token ", first, " of ", tokens);
  Tensor y = empty({batch, cols}, x.value());
  dispatch(y, [&]<class T>(auto ctx) {
    kernels::mean_tokens<T>(
        ctx,
        {.y = y.data<T>(), .x = x.value().data<T>(), .images = batch, .tokens = tokens, .first = first, .cols = cols});
  });
  return Var::record("mean_tokens", y, {x}, [=](const Tensor& dy) {
    Tensor dx = empty({batch, tokens, cols}, dy);
    dispatch(dy, [&]<class T>(auto ctx) {
      kernels::mean_tokens_backward<T>(
          ctx,
          {.dx = dx.data<T>(), .dy = dy.data<T>(), .images = batch, .tokens = tokens, .first = first, .cols = cols});
    });
    return Grads{dx};
  });
}

Var resize_grid(const Var& table, Grid from, Grid to) {
  check_tokens("resize_grid", table);
  const long cols = table.shape()[2];
  check(table.shape() == Shape({1, from.patches(), cols}), "resize_grid: a grid of ", from.y, "x", from.x, " wants ",
        Shape{1, from.patches(), cols}, ", got ", table.shape());
  if (from == to) return table;
  const auto problem = [=]<class T>(T* larger, T* smaller) {
    return kernels::ResizeGrid<T>{.to = larger, .from = smaller, .to_grid = to, .from_grid = from, .cols = cols};
  };
  Tensor y = empty({1, to.patches(), cols}, table.value());
  dispatch(y, [&]<class T>(auto ctx) { kernels::resize_grid(ctx, problem(y.data<T>(), table.value().data<T>())); });
  return Var::record("resize_grid", y, {table}, [=](const Tensor& dy) {
    Tensor dx = empty({1, from.patches(), cols}, dy);
    dispatch(dy, [&]<class T>(auto ctx) { kernels::resize_grid_backward(ctx, problem(dy.data<T>(), dx.data<T>())); });
    return Grads{dx};
  });
}

}  // namespace lookhere
