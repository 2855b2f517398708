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
  const Shape& front = token.shape();
  check(front.rank() == 3 && front[0] == 1 && front[2] == cols, "prepend_token: token must be ", Shape{1, 1, cols},
        ", or more of them, got ", front);
  const long count = front[1], front_size = count * cols, in_size = tokens * cols, out_size = front_size + in_size;
  Tensor y = empty({batch, count + tokens, cols}, x.value());
  copy_blocks(
      y, token.value(),
      {.to_offset = 0, .to_stride = out_size, .from_offset = 0, .from_stride = 0, .count = batch, .size = front_size});
  copy_blocks(y, x.value(),
              {.to_offset = front_size,
               .to_stride = out_size,
               .from_offset = 0,
               .from_stride = in_size,
               .count = batch,
               .size = in_size});
  return Var::record("prepend_token", y, {token, x}, [=](const Tensor& dy) {
    // The engine sums the token's gradient over the batch: it was broadcast.
    Tensor dtoken = empty({batch, 1, count, cols}, dy), dx = empty({batch, tokens, cols}, dy);
    copy_blocks(dtoken, dy,
                {.to_offset = 0,
                 .to_stride = front_size,
                 .from_offset = 0,
                 .from_stride = out_size,
                 .count = batch,
                 .size = front_size});
    copy_blocks(dx, dy,
                {.to_offset = 0,
                 .to_stride = in_size,
                 .from_offset = front_size,
                 .from_stride = out_size,
                 .count = batch,
                 .size = in_size});
    return Grads{dtoken, dx};
  });
}

Var take_tokens(const Var& x, long first, long count) {
  check_tokens("take_tokens", x);
  const Shape shape = x.shape();
  check(first >= 0 && count >= 1 && first <= shape[1] - count, "take_tokens: wanted ", count, " tokens from ", first,
        " on of ", shape[1]);
  if (count == shape[1]) return x;
  const long all = shape[1] * shape[2], begin = first * shape[2], size = count * shape[2];
  Tensor y = empty({shape[0], count, shape[2]}, x.value());
  copy_blocks(
      y, x.value(),
      {.to_offset = 0, .to_stride = size, .from_offset = begin, .from_stride = all, .count = shape[0], .size = size});
  return Var::record("take_tokens", y, {x}, [=](const Tensor& dy) {
    Tensor dx = zeros(shape, dy);
    copy_blocks(
        dx, dy,
        {.to_offset = begin, .to_stride = all, .from_offset = 0, .from_stride = size, .count = shape[0], .size = size});
    return Grads{dx};
  });
}

Var drop_tokens(const Var& x, long count) {
  check_tokens("drop_tokens", x);
  check(0 <= count && count < x.shape()[1], "drop_tokens: ", count, " of ", x.shape()[1], " tokens");
  return take_tokens(x, count, x.shape()[1] - count);
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

Var take_features(const Var& x, long index, long count) {
  check_tokens("take_features", x);
  const Shape shape = x.shape();
  check(0 <= index && index < count && shape[2] % count == 0, "take_features: wanted part ", index, " of ", count,
        " equal parts of ", shape[2], " features");
  const long rows = shape[0] * shape[1], cols = shape[2] / count;
  Tensor y = empty(shape.with_back(cols), x.value());
  copy_blocks(y, x.value(),
              {.to_offset = 0,
               .to_stride = cols,
               .from_offset = index * cols,
               .from_stride = shape[2],
               .count = rows,
               .size = cols});
  return Var::record("take_features", y, {x}, [=](const Tensor& dy) {
    Tensor dx = zeros(shape, dy);
    copy_blocks(dx, dy,
                {.to_offset = index * cols,
                 .to_stride = shape[2],
                 .from_offset = 0,
                 .from_stride = cols,
                 .count = rows,
                 .size = cols});
    return Grads{dx};
  });
}

Var join_features(const std::vector<Var>& parts) {
  check(!parts.empty(), "join_features: wanted at least one part");
  for (const Var& part : parts) {
    check_tokens("join_features", part);
    check(part.shape() == parts[0].shape(), "join_features: wanted parts of one shape, got ", parts[0].shape(), " and ",
          part.shape());
  }
  const Shape shape = parts[0].shape();
  const long rows = shape[0] * shape[1], cols = shape[2], all = cols * std::ssize(parts);
  Tensor y = empty(shape.with_back(all), parts[0].value());
  for (long i = 0; i < std::ssize(parts); ++i)
    copy_blocks(
        y, parts[i].value(),
        {.to_offset = i * cols, .to_stride = all, .from_offset = 0, .from_stride = cols, .count = rows, .size = cols});
  return Var::record("join_features", y, parts, [=, count = std::ssize(parts)](const Tensor& dy) {
    Grads grads;
    for (long i = 0; i < count; ++i) {
      grads.push_back(empty(shape, dy));
      copy_blocks(grads.back(), dy,
                  {.to_offset = 0,
                   .to_stride = cols,
                   .from_offset = i * cols,
                   .from_stride = all,
                   .count = rows,
                   .size = cols});
    }
    return grads;
  });
}

Var resize_grid(const Var& table, Grid from, Grid to, GridFilter filter) {
  check_tokens("resize_grid", table);
  const long cols = table.shape()[2];
  check(table.shape() == Shape({1, from.patches(), cols}), "resize_grid: a grid of ", from.y, "x", from.x, " wants ",
        Shape{1, from.patches(), cols}, ", got ", table.shape());
  if (from == to) return table;
  const auto problem = [=]<class T>(T* larger, T* smaller) {
    return kernels::ResizeGrid<T>{
        .to = larger, .from = smaller, .to_grid = to, .from_grid = from, .cols = cols, .filter = filter};
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
