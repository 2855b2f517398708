// A batch split over threads: each shard of the images goes through a replica of the model by itself, and the gradients
// are added in a fixed order. Threads then meet once per update instead of in every kernel, and the result depends on
// the number of shards, not on the number of threads, nor on that of the ranks among which the shards are divided.
#pragma once
#include <vector>

#include "nn/reducer.h"
#include "vit/model/vit.h"
#include "vit/train/step_graph.h"

namespace lookhere {

class ShardedModel {
 public:
  // The replicas share the model's weights, which are moved into a ParameterArena; the first one also its gradients,
  // the others have gradients of their own. With use_graphs one shard on a GPU is captured as a CUDA graph when a batch
  // of its shape comes for the second time; `loss`, `weight` and all of `pass` but its step must then stay the same.
  // Each rank of the team has shard_range(shards, rank, ranks) of them.
  ShardedModel(ViT& model, long shards, bool use_graphs = false, Communicator& team = alone(),
               DeviceSum device_sum = {});
  long shards() const { return shards_; }

  // Means over a batch: of the loss whose gradient was taken, and of what evaluations measure, the cross-entropy with
  // the true labels, without smoothing.
  struct Losses {
    double trained = 0, cross_entropy = 0;
  };
  // Adds the gradient of the batch's mean loss, times `weight`, to the model's parameters and returns the mean losses.
  // Labels are i64 [batch], or f32 [batch, classes] of what each class should be. loss(logits, labels) is the mean over
  // its rows. `pass` has the randomness of this batch, `pass.step` counting batches. A loss that is not finite is
  // returned, and all gradients are cleared. The images may be on any device; they are those of this rank's shards
  // alone, the labels those of the whole batch. Every rank gets the same gradients and losses. Throws Error where a
  // team has fewer images than shards.
  using Loss = std::function<Var(const Var& logits, const Tensor& labels)>;
  Losses accumulate_gradients(const Tensor& images, const Tensor& labels, const Pass& pass, double weight,
                              const Loss& loss);

 private:
  struct Part;   // of the losses: a shard's
  struct Graph;  // of a shape
  Part add_gradients(long shard, const Tensor& images, const Tensor& labels, const Pass& pass, double weight,
                     const Loss& loss);
  Part replay(const Tensor& images, const Tensor& labels, const Pass& pass, double weight, const Loss& loss);
  bool has_gradients() const;

  const long shards_;
  Communicator& team_;
  const ShardRange own_;
  std::vector<ViT> replicas_;           // one per own shard
  std::vector<ParameterArena> arenas_;  // one per replica
  std::unique_ptr<GradientReducer> reducer_;
  const std::unique_ptr<Pool::Own> memory_of_graphs_;  // none: passes are not captured
  std::vector<std::shared_ptr<Graph>> graphs_;
};

}  // namespace lookhere
