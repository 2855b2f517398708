// The attention weights that a model's layers compute for one image, a row at a time: no layer's weights are ever all
// in memory.
#pragma once
#include <functional>
#include <vector>

#include "kernels/attention/attention.h"
#include "vit/model/vit.h"

namespace lookhere {

class AttentionRows {
 public:
  // Runs the model. q, k and the bias are those of its own forward pass, kept for all layers: 3·dim values per token.
  // The model is f32. Throws Error unless the image is [1, C, Y, X] as the model wants it, and the answer is finite.
  // on_block: as Pass has it.
  AttentionRows(ViT& model, const Tensor& image, std::function<void(const Tensor& tokens)> on_block = {});

  const Tensor& logits() const { return logits_; }  // f32 [1, classes]
  Grid grid() const { return layers_[0].sizes.grid; }
  long depth() const { return std::ssize(layers_); }
  long heads() const { return layers_[0].sizes.heads; }
  long tokens() const { return layers_[0].sizes.tokens; }
  long prefix() const { return tokens() - grid().patches(); }

  // P[query] of one head: what it gives each token, the patches last. Adds up to 1, but for sigmoid attention.
  void row(long layer, long head, long query, std::vector<double>& weights) const;
  // The same as shares of what the query gives in all, which adds up to 1 for sigmoid attention too; 0 of nothing.
  void shares(long layer, long head, long query, std::vector<double>& weights) const;
  // Of each head, Σ readers[query] · P[query], or of the shares.
  enum class Of { weights, shares };
  std::vector<std::vector<double>> mixed(long layer, const std::vector<double>& readers, Of of) const;

 private:
  // What attention in a layer was given, in host memory.
  struct Layer {
    Tensor qkv;                    // f32 [1, T, 3·H·d]
    Tensor relative, key, prefix;  // tables of the bias, if any
    Tensor shift;                  // of sigmoid attention
    long window;                   // a patch sees those of its own square alone; 0: all
    Tensor by_position, share;     // a second attention and its share of each head, if any
    kernels::AttentionSizes sizes;
  };
  static Layer layer_of(const Tensor& qkv, const LayerPosition& position, long heads);

  std::vector<Layer> layers_;
  Tensor logits_;
};

}  // namespace lookhere
