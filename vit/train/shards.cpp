// Data parallelism over threads.
#include "vit/train/shards.h"

#include <algorithm>
#include <cmath>

#include "autograd/profile.h"
#include "tensor/parallel.h"

namespace lookhere {
ShardRange shard_range(long size, long i, long n) {
  const auto border = [&](long k) { return k * (size / n) + std::min(k, size % n); };
  return {border(i), border(i + 1)};
}

ShardedModel::ShardedModel(ViT& model, long shards) {
  check(shards >= 1, "shards: wanted at least 1, got ", shards);
  for (long i = 0; i < shards; ++i) {
    replicas_.push_back(model);  // the same Vars
    if (i > 0) for_each_parameter(replicas_.back(), [](const std::string&, Var& p) { p = Var(p.value(), true); });
    arenas_.emplace_back(parameters_of(replicas_.back()));
  }
}

double ShardedModel::accumulate_gradients(const Tensor& images, const Tensor& labels, const Pass& pass, double weight,
                                          const Loss& loss) {
  const long batch = images.shape()[0], n = shards();
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
  const profile::Span span("sum over shards", profile::Phase::backward);
  for (std::size_t i = 1; i < arenas_.size(); ++i) arenas_[0].take_gradients(arenas_[i]);  // a fixed order
  if (!std::isfinite(total)) arenas_[0].clear_gradients();
  return total;
}

}  // namespace lookhere
