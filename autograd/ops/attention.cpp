// Attention over packed queries, keys and values, with a LookHere bias.
#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "tensor/dispatch.h"

namespace lookhere {
namespace {

using kernels::Acc;
using kernels::DistanceFrom;
using kernels::MaskFill;

enum class Version { fast, naive };

template <class T>
kernels::AttentionBias<T> bias_of(const AttentionHeads& h) {
  return {.heads = h.heads.empty() ? nullptr : h.heads.data(),
          .relative = h.relative.defined() ? h.relative.data<Acc<T>>() : nullptr,
          .key = h.key.defined() ? h.key.data<Acc<T>>() : nullptr,
          .window = h.heads.empty() ? 0 : h.heads[0].effective_view().window,
          .shift = h.shift.defined() ? h.shift.data<Acc<T>>() : nullptr};
}

// plan_attention made it for a model; whoever calls the operation alone gets one made here.
std::shared_ptr<const kernels::AttentionPlan> plan_of(const AttentionHeads& heads, const kernels::AttentionSizes& z) {
  if (heads.plan && kernels::plan_fits(*heads.plan, z, !heads.heads.empty())) return heads.plan;
  return kernels::make_attention_plan(heads.heads, z.heads, z.grid, z.prefix(), z.head_dim);
}

kernels::AttentionSizes sizes_of(const Shape& shape, long head_count, const AttentionHeads& heads) {
  check(shape.rank() == 3 && head_count >= 1 && shape[2] % (3 * head_count) == 0,
        "attention: wanted [batch, tokens, 3·", head_count, "·head size], got ", shape);
  check(shape[0] >= 1, "attention: wanted at least one image, got ", shape);
  const kernels::AttentionSizes sizes{.images = shape[0],
                                      .tokens = shape[1],
                                      .heads = head_count,
                                      .head_dim = shape[2] / (3 * head_count),
                                      .grid = heads.grid};
  check(sizes.head_dim >= 1 && sizes.head_dim <= kernels::kMaxHeadDim, "attention: head size must be 1 to ",
        kernels::kMaxHeadDim, ", got ", sizes.head_dim);
  check(heads.heads.empty() || static_cast<long>(heads.heads.size()) == head_count, "attention: ", head_count,
        " heads but ", heads.heads.size(), " fields of view");
  check(sizes.prefix() >= 0, "attention: a grid of ", heads.grid.y, "x", heads.grid.x, " patches wants at least ",
        heads.grid.patches(), " tokens, got ", sizes.tokens);
  return sizes;
}

// `learned`: undefined, or [H, 2·gy - 1, 2·gx - 1] to take the place of the heads' own tables, and beside it maybe
// `prefix`, [H, 2].
Var record_attention(Version version, const Var& qkv, const kernels::AttentionSizes& sizes, const AttentionHeads& heads,
                     const Var& learned, const Var& prefix) {
  const Dtype acc = acc_of(qkv.value().dtype());
  const Device device = qkv.value().device();
  Tensor out = empty({sizes.images, sizes.tokens, sizes.heads * sizes.head_dim}, qkv.value());
  Tensor lse = empty({sizes.images, sizes.heads, sizes.tokens}, acc, device);
  const double scale = 1 / std::sqrt(static_cast<double>(sizes.head_dim));
  const std::shared_ptr<const kernels::AttentionPlan> plan = plan_of(heads, sizes);
  const Tensor table = learned.defined() ? learned.value() : Tensor();
  const Tensor front = prefix.defined() ? prefix.value() : Tensor();
  const auto bias = [heads, table, front]<class T>(T*) {
    kernels::AttentionBias<T> b = bias_of<T>(heads);
    if (table.defined()) b.relative = table.data<Acc<T>>();
    if (front.defined()) b.prefix = front.data<Acc<T>>();
    return b;
  };
  dispatch_mixed(out, [&]<class T>(auto ctx) {
    kernels::Attention<T> problem{.out = out.data<T>(),
                                  .lse = lse.data<Acc<T>>(),
                                  .qkv = qkv.value().data<T>(),
                                  .bias = bias(static_cast<T*>(nullptr)),
                                  .sizes = sizes,
                                  .scale = static_cast<Acc<T>>(scale),
                                  .plan = plan.get()};
    if constexpr (!std::is_same_v<T, bf16>)
      if (version == Version::naive) return kernels::attention_naive(ctx, problem);
    Tensor workspace = empty({kernels::attention_workspace(ctx, problem)}, acc, device);
    problem.workspace = workspace.data<Acc<T>>();
    kernels::attention(ctx, problem);
  });
  std::vector<Var> inputs{qkv};
  if (learned.defined()) inputs.push_back(learned);
  if (prefix.defined()) inputs.push_back(prefix);
  return Var::record("attention", out, inputs, [=, qkv = qkv.value()](const Tensor& dy) {
    Tensor dqkv = empty_like(qkv), dtable = table.defined() ? empty_like(table) : Tensor();
    Tensor dfront = front.defined() ? empty_like(front) : Tensor();
    dispatch_mixed(dy, [&]<class T>(auto ctx) {
      kernels::AttentionBackward<T> problem{.dqkv = dqkv.data<T>(),
                                            .drelative = dtable.defined() ? dtable.data<Acc<T>>() : nullptr,
                                            .dprefix = dfront.defined() ? dfront.data<Acc<T>>() : nullptr,
                                            .dout = dy.data<T>(),
                                            .out = out.data<T>(),
                                            .qkv = qkv.data<T>(),
                                            .lse = lse.data<Acc<T>>(),
                                            .bias = bias(static_cast<T*>(nullptr)),
                                            .sizes = sizes,
                                            .scale = static_cast<Acc<T>>(scale),
                                            .plan = plan.get()};
      if constexpr (!std::is_same_v<T, bf16>)
        if (version == Version::naive) return kernels::attention_naive_backward(ctx, problem);
      Tensor workspace = empty({kernels::attention_workspace(ctx, problem)}, acc, device);
      problem.workspace = workspace.data<Acc<T>>();
      kernels::attention_backward(ctx, problem);
    });
    Grads grads{dqkv};
    if (dtable.defined()) grads.push_back(dtable);
    if (dfront.defined()) grads.push_back(dfront);
    return grads;
  });
}

// The plan skips what a head does not see: its table must say the same.
void check_unseen(const AttentionHeads& heads, const Tensor& table) {
  const Grid grid = heads.grid;
  dispatch(table, [&]<class T>(auto) {
    const T* value = table.host<T>();
    for (const LookHereHead& head : heads.heads) {
      const kernels::FieldOfView view = head.effective_view();
      if (view.sees_all()) {
        value += kernels::relative_size(grid);
        continue;
      }
      for (long dy = grid.y - 1; dy > -grid.y; --dy)
        for (long dx = grid.x - 1; dx > -grid.x; --dx, ++value)
          check(view.sees(dy, dx) || (std::isinf(*value) && *value < 0),
                "attention_learned: wanted a bias of -inf where a head does not see, at (dy, dx) = (", dy, ", ", dx,
                "), got ", *value);
    }
  });
}

}  // namespace

AttentionHeads make_attention_heads(std::vector<LookHereHead> heads, Grid grid, Dtype dtype, Device device) {
  AttentionHeads result{.heads = std::move(heads), .grid = grid, .relative = {}, .key = {}, .plan = {}};
  if (result.heads.empty()) return result;
  const long count = static_cast<long>(result.heads.size());
  for (const LookHereHead& head : result.heads) {
    check(head.effective_view().window == result.heads[0].effective_view().window,
          "attention: heads must have windows of one size");
    check(head.from != DistanceFrom::grid_center || head.fill == MaskFill::inf || head.view.sees_all(),
          "attention: a head with distances from the grid centre must see everything or mask with -inf");
  }
  const bool by_key = std::any_of(result.heads.begin(), result.heads.end(),
                                  [](const LookHereHead& head) { return head.from == DistanceFrom::grid_center; });
  dtype = acc_of(dtype);
  // Made in host memory, once per grid, and moved.
  const Tensor relative = empty({count, kernels::relative_size(grid)}, dtype, Device::cpu);
  const Tensor key = by_key ? empty({count, grid.patches()}, dtype, Device::cpu) : Tensor();
  dispatch(relative, [&]<class T>(auto) {
    for (long h = 0; h < count; ++h) {
      kernels::relative_bias(relative.host<T>() + h * kernels::relative_size(grid), result.heads[h], grid);
      if (by_key) kernels::key_bias(key.host<T>() + h * grid.patches(), result.heads[h], grid);
    }
  });
  result.relative = relative.to(device);
  if (by_key) result.key = key.to(device);
  return result;
}

void plan_attention(AttentionHeads& heads, long head_count, long prefix, long head_dim, const AttentionHeads* like) {
  heads.plan = kernels::make_attention_plan(heads.heads, head_count, heads.grid, prefix, head_dim,
                                            like ? like->plan.get() : nullptr);
}

Var attention(const Var& qkv, long head_count, const AttentionHeads& heads) {
  return record_attention(Version::fast, qkv, sizes_of(qkv.shape(), head_count, heads), heads, {}, {});
}
Var attention_naive(const Var& qkv, long head_count, const AttentionHeads& heads) {
  check(qkv.value().dtype() != Dtype::bf16, "attention_naive: works on f32 and f64, got bf16");
  return record_attention(Version::naive, qkv, sizes_of(qkv.shape(), head_count, heads), heads, {}, {});
}
Var attention_learned(const Var& qkv, long head_count, const AttentionHeads& heads, const Var& relative,
                      const Var& prefix) {
  AttentionHeads all = heads;
  if (all.heads.empty()) all.heads.resize(head_count), all.plan = nullptr;  // plain attention's knows no tables
  const kernels::AttentionSizes sizes = sizes_of(qkv.shape(), head_count, all);
  check(all.heads[0].view.window == 0 && !heads.key.defined(),
        "attention_learned: a table says nothing of windows and of distances from the grid centre");
  const Shape wanted{head_count, 2 * heads.grid.y - 1, 2 * heads.grid.x - 1};
  check(relative.shape() == wanted, "attention_learned: the bias must be ", wanted, ", got ", relative.shape());
  check(!prefix.defined() || prefix.shape() == Shape{head_count, 2}, "attention_learned: the prefix' bias must be ",
        Shape{head_count, 2}, ", got ", prefix.defined() ? prefix.shape() : Shape{});
  const Dtype acc = acc_of(qkv.value().dtype());
  for (const Var& bias : {relative, prefix})
    check(!bias.defined() || bias.value().dtype() == acc, "attention_learned: the bias must be ", acc, ", got ",
          bias.defined() ? bias.value().dtype() : acc);
  if (relative.value().device() == Device::cpu) check_unseen(all, relative.value());
  return record_attention(Version::fast, qkv, sizes, all, relative, prefix);
}

}  // namespace lookhere
