// What a model's heads and patch tokens do, layer by layer (LookHere, figures 4, 16 and 17).
#pragma once
#include <functional>
#include <vector>

#include "vit/eval/attention_rows.h"

namespace lookhere {

// Of one layer.
struct LayerStatistics {
  // Generalised Jensen-Shannon divergence of its heads (Lin 1991), in nats: H(mean of the heads' rows) less the mean of
  // the rows' entropies H; the mean over all tokens that look. 0 where all heads look alike, log(heads) at most.
  double diversity = 0;
  // How far a head looks, in patches: Σ_j A_ij·|i - j| over the patches j, by their share of the row; the mean over
  // heads and over the patches i.
  double distance = 0;
  // Mean cosine between the patch tokens that the layer leaves, over all pairs of two.
  double similarity = 0;
};

// Of one image [1, C, Y, X], as AttentionRows wants it.
std::vector<LayerStatistics> layer_statistics(ViT& model, const Tensor& image);

// The parts, of rows of weights that add up to 1 and of tokens (patches, features).
double jensen_shannon(const std::vector<std::vector<double>>& rows);
double mean_distance(const std::vector<double>& patches, Grid grid, long query);
double mean_cosine(const float* tokens, long count, long features);

}  // namespace lookhere
