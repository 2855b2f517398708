// Data parallelism over threads and ranks.
#include "vit/train/shards.h"

#include <algorithm>
#include <cmath>

#include "tensor/parallel.h"

namespace lookhere {
struct ShardedModel::Part {
  Tensor trained, cross_entropy;  // [1], on the model's device
};

struct ShardedModel::Graph {
  Shape images;
  bool adds;                             // to gradients that are there already
  std::unique_ptr<StepGraph> step = {};  // none as long as the shape has come but once
  std::vector<Var> with_gradient = {};
};

ShardedModel::ShardedModel(ViT& model, long shards, bool use_graphs, Communicator& team, DeviceSum device_sum)
    : shards_(shards),
      team_(team),
      own_(shard_range(std::max(shards, 0L), team.rank(), team.size())),
      memory_of_graphs_(use_graphs && own_.size() == 1 && model.device() == Device::cuda
                            ? std::make_unique<Pool::Own>(Device::cuda)
                            : nullptr) {
  check(shards >= 1, "shards: wanted at least 1, got ", shards);
  for (long i = 0; i < std::max(own_.size(), 1L); ++i) {
    replicas_.push_back(model);  // the same Vars
    if (i > 0)
      for_each_parameter(replicas_.back(), [](const std::string&, Var& p) {
        if (p.requires_grad()) p = Var(p.value(), true);
      });
    arenas_.emplace_back(parameters_of(replicas_.back()));
  }
  reducer_ =
      std::make_unique<GradientReducer>(arenas_, shards, team, bucket_bytes_for(team.size()), std::move(device_sum));
}

// Nothing here waits for a GPU.
ShardedModel::Part ShardedModel::add_gradients(long shard, const Tensor& images, const Tensor& labels, const Pass& pass,
                                               double weight, const Loss& loss) {
  Part part;
  const Var value = [&] {  // the logits go out of scope before backward, which frees what nobody holds
    Pass own = pass;
    const Var logits = replicas_[shard](Var(images), own);
    Var result = loss(logits, labels);
    const NoGrad measuring;
    const Var seen(logits.value());
    const bool soft = labels.dtype() != Dtype::i64;
    part = {result.value(),
            (soft ? softmax_cross_entropy_soft(seen, labels) : softmax_cross_entropy(seen, labels)).value()};
    return result;
  }();
  // Where nobody waits for single gradients the engine need not count them.
  const auto ready = [&](const Var& parameter) { reducer_->ready(shard, parameter); };
  scale(value, weight).backward(reducer_->overlaps() ? ready : LeafFn());
  return part;
}

bool ShardedModel::has_gradients() const {
  return std::ranges::any_of(arenas_[0].slots(), [](const auto& slot) { return slot.parameter.var.grad().defined(); });
}

ShardedModel::Part ShardedModel::replay(const Tensor& images, const Tensor& labels, const Pass& pass, double weight,
                                        const Loss& loss) {
  const bool adds = has_gradients();
  auto found = std::ranges::find_if(
      graphs_, [&](const auto& graph) { return graph->images == images.shape() && graph->adds == adds; });
  if (found == graphs_.end()) {
    graphs_.push_back(std::make_shared<Graph>(Graph{.images = images.shape(), .adds = adds}));
    return add_gradients(0, images, labels, pass, weight, loss);
  }
  Graph& graph = **found;
  if (!graph.step) {
    graph.step = std::make_unique<StepGraph>(*memory_of_graphs_, images, labels, [&](const StepGraph::Inputs& inputs) {
      Pass live = pass;
      live.live_step = inputs.step;
      const Part part = add_gradients(0, inputs.images, inputs.labels, live, weight, loss);
      return std::vector{part.trained, part.cross_entropy};
    });
    for (const auto& slot : arenas_[0].slots())
      if (slot.parameter.var.grad().defined()) graph.with_gradient.push_back(slot.parameter.var);
  }
  const std::vector<Tensor>& losses = graph.step->run(images, labels, pass.step);
  for (Var& parameter : graph.with_gradient) parameter.set_grad(parameter.grad_buffer());
  return {losses[0], losses[1]};
}

ShardedModel::Losses ShardedModel::accumulate_gradients(const Tensor& images, const Tensor& labels, const Pass& pass,
                                                        double weight, const Loss& loss) {
  const long batch = labels.shape()[0], n = shards();
  const ShardRange rows_here = shard_range(batch, own_, n);
  check(images.shape()[0] == rows_here.size(), "shards: wanted ", rows_here.size(), " images of a batch of ", batch,
        ", got ", images.shape()[0]);
  check(team_.alone() || n <= batch, "shards: ", batch, " images are too few for ", n, " shards of several ranks");
  std::vector<Losses> losses(n);
  reducer_->begin();
  const SameGpu gpu;
  parallel_tasks(own_.size(), [&](long i) {
    gpu.use();
    const long shard = own_.begin + i;
    const auto [begin, end] = shard_range(batch, shard, n);
    if (begin == end) return;
    Pass own = pass;
    own.step = static_cast<std::uint32_t>(pass.step * n + shard);
    const double share = static_cast<double>(end - begin) / static_cast<double>(batch);
    const Device device = replicas_[i].device();
    const Tensor own_images = images.rows(begin - rows_here.begin, end - rows_here.begin).to(device),
                 rows = labels.rows(begin, end);
    // Labels are looked at here, on the host.
    const Tensor own_labels = rows.dtype() == Dtype::i64 ? rows : rows.to(device);
    const Part part = memory_of_graphs_ ? replay(own_images, own_labels, own, share * weight, loss)
                                        : add_gradients(i, own_images, own_labels, own, share * weight, loss);
    losses[shard] = {share * part.trained.item(), share * part.cross_entropy.item()};
  });
  team_.share(losses);
  reducer_->finish();
  Losses total;
  for (const Losses& part : losses) total.trained += part.trained, total.cross_entropy += part.cross_entropy;
  if (!std::isfinite(total.trained)) arenas_[0].clear_gradients();
  return total;
}

}  // namespace lookhere
