// Rows are those of kernels/attention/row.h.
#include "vit/eval/attention_rows.h"

#include <cmath>
#include <numeric>

#include "kernels/attention/row.h"
#include "tensor/finite.h"
#include "tensor/parallel.h"

namespace lookhere {

AttentionRows::Layer AttentionRows::layer_of(const Tensor& qkv, const LayerPosition& position, long heads) {
  const auto value_of = [](const Var& var) { return var.defined() ? var.value() : Tensor(); };
  const auto on_host = [](const Tensor& tensor) { return tensor.defined() ? tensor.to(Device::cpu) : Tensor(); };
  return {.qkv = on_host(qkv),
          .relative = on_host(position.table.defined() ? position.table.value() : position.heads.relative),
          .key = on_host(position.heads.key),
          .prefix = on_host(value_of(position.prefix)),
          .shift = on_host(position.heads.shift),
          .window = position.heads.heads.empty() ? 0 : position.heads.heads[0].effective_view().window,
          .by_position = on_host(value_of(position.by_position)),
          .share = on_host(value_of(position.share)),
          .sizes = {.images = 1,
                    .tokens = qkv.shape()[1],
                    .heads = heads,
                    .head_dim = qkv.shape()[2] / (3 * heads),
                    .grid = position.heads.grid}};
}

AttentionRows::AttentionRows(ViT& model, const Tensor& image, std::function<void(const Tensor& tokens)> on_block) {
  check(image.shape().rank() == 4 && image.shape()[0] == 1, "attention maps: wanted one image [1, C, Y, X], got ",
        image.shape());
  const NoGrad evaluation;
  Pass pass{.on_attention =
                [&](const Tensor& qkv, const LayerPosition& position) {
                  layers_.push_back(layer_of(qkv, position, model.config().heads));
                },
            .on_block = std::move(on_block)};
  logits_ = model(Var(image.to(model.device())), pass).value().to(Device::cpu);
  check_finite(logits_, "attention maps: the model's answer");
}

void AttentionRows::row(long layer, long head, long query, std::vector<double>& weights) const {
  const Layer& l = layers_[layer];
  const auto values = [](const Tensor& tensor) { return tensor.defined() ? tensor.host<float>() : nullptr; };
  const double share = l.share.defined() ? l.share.host<float>()[head] : 0;
  std::vector<float> row(l.sizes.tokens);
  weights.assign(l.sizes.tokens, 0);
  const auto add = [&](double part, const kernels::AttentionBias<float>& bias, float scale) {
    kernels::attention_row<float>({.weights = row.data(),
                                   .qkv = l.qkv.host<float>(),
                                   .bias = bias,
                                   .sizes = l.sizes,
                                   .scale = scale,
                                   .image = 0,
                                   .head = head,
                                   .query = query});
    for (long key = 0; key < l.sizes.tokens; ++key) weights[key] += part * static_cast<double>(row[key]);
  };
  add(1 - share,
      {.relative = values(l.relative),
       .key = values(l.key),
       .prefix = values(l.prefix),
       .window = l.window,
       .shift = values(l.shift)},
      static_cast<float>(1 / std::sqrt(static_cast<double>(l.sizes.head_dim))));
  if (share != 0) add(share, {.relative = values(l.by_position)}, 0);
}

void AttentionRows::shares(long layer, long head, long query, std::vector<double>& weights) const {
  row(layer, head, query, weights);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight = sum > 0 ? weight / sum : 0;
}

std::vector<std::vector<double>> AttentionRows::mixed(long layer, const std::vector<double>& readers, Of of) const {
  std::vector<std::vector<double>> rows(heads(), std::vector<double>(tokens(), 0));
  parallel_tasks(heads(), [&](long head) {
    std::vector<double> weights;
    for (long query = 0; query < tokens(); ++query) {
      if (readers[query] == 0) continue;
      of == Of::shares ? shares(layer, head, query, weights) : row(layer, head, query, weights);
      for (long key = 0; key < tokens(); ++key) rows[head][key] += readers[query] * weights[key];
    }
  });
  return rows;
}

}  // namespace lookhere
