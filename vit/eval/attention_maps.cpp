// Rows of weights are linear in who looks, so a mean over patches and a step of the rollout are the same sum.
#include "vit/eval/attention_maps.h"

#include <algorithm>
#include <cmath>

#include "kernels/attention/row.h"
#include "tensor/finite.h"
#include "tensor/parallel.h"

namespace lookhere {
namespace {

// What attention in a layer was given, in host memory.
struct Layer {
  Tensor qkv;                    // f32 [1, T, 3·H·d]
  Tensor relative, key, prefix;  // tables of the bias, if any
  Tensor shift;                  // of sigmoid attention
  long window;                   // a patch sees those of its own square alone; 0: all
  Tensor by_position, share;     // a second attention and its share of each head, if any
  kernels::AttentionSizes sizes;
};

Layer layer_of(const Tensor& qkv, const LayerPosition& position, long heads) {
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

using Weights = std::vector<double>;  // (tokens)

// Of each head, Σ readers[query] · P[query].
std::vector<Weights> rows_of(const Layer& layer, const Weights& readers) {
  const kernels::AttentionSizes& z = layer.sizes;
  std::vector<Weights> rows(z.heads, Weights(z.tokens, 0));
  const auto values = [](const Tensor& tensor) { return tensor.defined() ? tensor.host<float>() : nullptr; };
  const kernels::AttentionBias<float> bias{.relative = values(layer.relative),
                                           .key = values(layer.key),
                                           .prefix = values(layer.prefix),
                                           .window = layer.window,
                                           .shift = values(layer.shift)};
  const float by_content = static_cast<float>(1 / std::sqrt(static_cast<double>(z.head_dim)));
  parallel_tasks(z.heads, [&](long head) {
    std::vector<float> row(z.tokens);
    const double share = layer.share.defined() ? layer.share.host<float>()[head] : 0;
    const auto add = [&](long query, double part, const kernels::AttentionBias<float>& its_bias, float scale) {
      kernels::attention_row<float>({.weights = row.data(),
                                     .qkv = layer.qkv.host<float>(),
                                     .bias = its_bias,
                                     .sizes = z,
                                     .scale = scale,
                                     .image = 0,
                                     .head = head,
                                     .query = query});
      for (long key = 0; key < z.tokens; ++key) rows[head][key] += part * static_cast<double>(row[key]);
    };
    for (long query = 0; query < z.tokens; ++query) {
      if (readers[query] == 0) continue;
      add(query, readers[query] * (1 - share), bias, by_content);
      if (share != 0) add(query, readers[query] * share, {.relative = values(layer.by_position)}, 0);
    }
  });
  return rows;
}

Weights readers_of(const ViTConfig& config, Grid grid, std::optional<long> patch) {
  Weights readers(config.prefix() + grid.patches(), 0);
  if (patch)
    readers[config.prefix() + *patch] = 1;
  else if (config.pool == Pooling::cls)
    readers[0] = 1;
  else
    std::fill(readers.begin() + config.prefix(), readers.end(), 1 / static_cast<double>(grid.patches()));
  return readers;
}

}  // namespace

AttentionMaps attention_maps(ViT& model, const Tensor& image, std::optional<long> patch) {
  check(image.shape().rank() == 4 && image.shape()[0] == 1, "attention maps: wanted one image [1, C, Y, X], got ",
        image.shape());
  const ViTConfig& config = model.config();
  const NoGrad evaluation;
  std::vector<Layer> layers;
  Pass pass{.on_attention = [&](const Tensor& qkv, const LayerPosition& position) {
    layers.push_back(layer_of(qkv, position, config.heads));
  }};
  AttentionMaps maps;
  maps.logits = model(Var(image.to(model.device())), pass).value().to(Device::cpu);
  check_finite(maps.logits, "attention maps: the model's answer");
  maps.grid = layers[0].sizes.grid;
  const long patches = maps.grid.patches(), depth = std::ssize(layers);
  check(!patch || (*patch >= 0 && *patch < patches), "attention maps: wanted a patch from 0 to ", patches - 1, ", got ",
        patch.value_or(0));
  const Weights readers = readers_of(config, maps.grid, patch);
  maps.rows = empty({depth, config.heads, config.prefix() + patches}, Dtype::f32, Device::cpu);
  float* out = maps.rows.host<float>();
  for (const Layer& layer : layers)
    for (const Weights& row : rows_of(layer, readers))
      for (const double weight : row) *out++ = static_cast<float>(weight);
  maps.rollout = readers;
  for (long i = depth; i-- > 0;) {
    for (double& weight : maps.rollout) weight /= 2;  // the identity's half
    const Weights above = maps.rollout;
    for (const Weights& row : rows_of(layers[i], above))
      for (std::size_t t = 0; t < row.size(); ++t) maps.rollout[t] += row[t] / static_cast<double>(config.heads);
  }
  return maps;
}

}  // namespace lookhere
