// Rows of weights are linear in who looks, so a mean over patches and a step of the rollout are the same sum.
#include "vit/eval/attention_maps.h"

#include <algorithm>

#include "vit/eval/attention_rows.h"

namespace lookhere {
namespace {

using Weights = std::vector<double>;  // (tokens)

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
  const ViTConfig& config = model.config();
  const AttentionRows rows(model, image);
  AttentionMaps maps;
  maps.logits = rows.logits();
  maps.grid = rows.grid();
  const long patches = maps.grid.patches();
  check(!patch || (*patch >= 0 && *patch < patches), "attention maps: wanted a patch from 0 to ", patches - 1, ", got ",
        patch.value_or(0));
  const Weights readers = readers_of(config, maps.grid, patch);
  maps.rows = empty({rows.depth(), rows.heads(), rows.tokens()}, Dtype::f32, Device::cpu);
  float* out = maps.rows.host<float>();
  for (long layer = 0; layer < rows.depth(); ++layer)
    for (const Weights& row : rows.mixed(layer, readers, AttentionRows::Of::weights))
      for (const double weight : row) *out++ = static_cast<float>(weight);
  maps.rollout = readers;
  for (long layer = rows.depth(); layer-- > 0;) {
    for (double& weight : maps.rollout) weight /= 2;  // the identity's half
    const Weights above = maps.rollout;
    for (const Weights& row : rows.mixed(layer, above, AttentionRows::Of::shares))
      for (std::size_t t = 0; t < row.size(); ++t) maps.rollout[t] += row[t] / static_cast<double>(rows.heads());
  }
  return maps;
}

}  // namespace lookhere
