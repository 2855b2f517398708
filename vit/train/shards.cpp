// Data parallelism over threads.
#include "vit/train/shards.h"

#include <algorithm>
#include <cmath>

#include "kernels/pointwise.h"
#include "tensor/dispatch.h"
#include "tensor/parallel.h"

namespace lookhere {
namespace {

void add_into(const Tensor& to, const Tensor& from) {
  dispatch(to, [&]<class T>(auto ctx) {
    kernels::add<T>(ctx,
                    {.y = to.data<T>(), .a = to.data<T>(), .b = from.data<T>(), .n = to.numel(), .period = to.numel()});
  });
}

}  // namespace

ShardRange shard_range(long size, long i, long n) {
  const auto border = [&](long k) { return k * (size / n) + std::min(k, size % n); };
  return {border(i), border(i + 1)};
}

ShardedModel::ShardedModel(ViT& model, long shards) : model_(model) {
  check(shards >= 1, "shards: wanted at least 1, got ", shards);
  for (long i = 0; i < shards; ++i) {
    replicas_.push_back(model);
    for_each_parameter(replicas_.back(), [](const std::string&, Var& p) { p = Var(p.value(), true); });
  }
}

double ShardedModel::accumulate_gradients(const Tensor& images, const Tensor& labels, const Pass& pass, double weight,
                                          const Loss& loss) {
  const long batch = images.shape()[0], n = shards();
  // Loading a checkpoint gives the model other tensors, which the replicas must share from then on.
  std::vector<Parameter> sums = parameters_of(model_);
  std::vector<std::vector<Parameter>> parts;
  for (ViT& replica : replicas_) {
    parts.push_back(parameters_of(replica));
    for (std::size_t k = 0; k < sums.size(); ++k) parts.back()[k].var.set_value(sums[k].var.value());
  }
  std::vector<double> losses(n, 0.0);
  parallel_tasks(n, [&](long i) {
    const auto [begin, end] = shard_range(batch, i, n);
    if (begin == end) return;
    Pass own = pass;
    own.step = static_cast<std::uint32_t>(pass.step * n + i);
    const double share = static_cast<double>(end - begin) / static_cast<double>(batch);
    const Var value = loss(replicas_[i](Var(images.rows(begin, end)), own), labels.rows(begin, end));
    losses[i] = share * value.value().item();
    if (std::isfinite(losses[i])) scale(value, share * weight).backward();
  });
  double total = 0;
  for (double part : losses) total += part;
  parallel_tasks(static_cast<long>(sums.size()), [&](long k) {
    for (auto& part : parts) {  // shard by shard: a fixed order
      const Tensor grad = part[k].var.grad();
      part[k].var.clear_grad();
      if (!grad.defined() || !std::isfinite(total)) continue;
      if (sums[k].var.grad().defined())
        add_into(sums[k].var.grad(), grad);
      else
        sums[k].var.set_grad(grad);
    }
  });
  return total;
}

}  // namespace lookhere
