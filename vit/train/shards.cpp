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

namespace {

double cross_entropy_of(const Tensor& logits, const Tensor& labels) {
  const NoGrad measuring;
  return softmax_cross_entropy(Var(logits), labels).value().item();
}

}  // namespace

ShardedModel::Losses ShardedModel::accumulate_gradients(const Tensor& images, const Tensor& labels, const Pass& pass,
                                                        double weight, const Loss& loss) {
  const long batch = images.shape()[0], n = shards();
  std::vector<Losses> losses(n);
  parallel_tasks(n, [&](long i) {
    const auto [begin, end] = shard_range(batch, i, n);
    if (begin == end) return;
    Pass own = pass;
    own.step = static_cast<std::uint32_t>(pass.step * n + i);
    const double share = static_cast<double>(end - begin) / static_cast<double>(batch);
    ViT& replica = replicas_[i];
    const Tensor own_images = images.rows(begin, end).to(replica.device()), own_labels = labels.rows(begin, end);
    const Var value = [&] {  // the logits go out of scope before backward, which frees what nobody holds
      const Var logits = replica(Var(own_images), own);
      Var result = loss(logits, own_labels);
      losses[i] = {share * result.value().item(), share * cross_entropy_of(logits.value(), own_labels)};
      return result;
    }();
    if (std::isfinite(losses[i].trained)) scale(value, share * weight).backward();
  });
  Losses total;
  for (const Losses& part : losses) total.trained += part.trained, total.cross_entropy += part.cross_entropy;
  const profile::Span span("sum over shards", profile::Phase::backward);
  for (std::size_t i = 1; i < arenas_.size(); ++i) arenas_[0].take_gradients(arenas_[i]);  // a fixed order
  if (!std::isfinite(total.trained)) arenas_[0].clear_gradients();
  return total;
}

}  // namespace lookhere
