// The Vision Transformer (Dosovitskiy et al. 2021) with LookHere attention (arXiv 2405.13985), timm's parameter names.
#pragma once
#include <memory>

#include "nn/layers.h"
#include "vit/model/map_pool.h"
#include "vit/model/position/model_position.h"

namespace lookhere {

enum class HeadType { linear, mlp, none };  // mlp: Linear, tanh, Linear as in the paper; none: the pooled features
enum class Pooling {
  cls,
  mean,
  map
};  // the class token, the mean of the patch tokens, or attention over them (map_pool.h)
enum class FinalNorm { tokens, pooled, none };  // before pooling, after it (timm's fc_norm), nowhere

// How much a token takes of another: its part of what all exp(logit) add up to, or σ(logit - log n), n the number of
// tokens that one of the head sees in the mean (Ramapuram et al. 2024, arXiv 2409.04431).
enum class AttentionWeights { softmax, sigmoid };

struct ViTConfig {
  long height = 224, width = 224, patch = 16, channels = 3, classes = 1000;
  long dim = 192, depth = 12, heads = 3;
  double mlp_ratio = 4, norm_eps = 1e-6;
  std::string activation = "gelu";  // of the MLPs: nn/activation.h
  bool layer_scale = false;
  double layer_scale_init = 1e-4;  // at creation; not part of a saved model
  double init_std = 0.02;          // of linear weights and tokens, at creation
  HeadType head = HeadType::linear;
  Pooling pool = Pooling::cls;
  FinalNorm final_norm = FinalNorm::tokens;
  bool class_token = true;
  bool distilled = false;  // a second class token with a head of its own; the logits are the mean (Touvron et al. 2021)
  long registers = 0;      // tokens beside the class token that nothing is read from (Darcet et al. 2024)
  bool patch_bias = true, qkv_bias = true;
  bool proj_bias = true;             // of attention's and the MLPs' last layers, and of the MLPs' first
  bool rms_norm = false;             // every norm is RMSNorm
  bool embed_norm = false;           // a norm of the patches before their positions
  bool pre_norm = false;             // a norm before the first block, as in CLIP
  bool sub_norm = false;             // norms before attention's and the MLPs' last layers, as in BEiT-3
  bool pool_include_prefix = false;  // mean and map take the tokens before the patches too
  bool qk_norm = false;              // norms of each head's queries and keys
  AttentionWeights attention = AttentionWeights::softmax;
  PositionConfig position;

  Grid grid() const { return {height / patch, width / patch}; }
  long prefix() const { return (class_token ? 1 : 0) + (distilled ? 1 : 0) + registers; }  // tokens before the patches
  PositionSizes position_sizes() const {
    return {heads, depth, dim, grid(), prefix(), attention == AttentionWeights::sigmoid};
  }
  long mlp_hidden() const { return static_cast<long>(static_cast<double>(dim) * mlp_ratio); }
  // Throws Error naming the first field that makes no model.
  void validate() const;
};

// Multiply-adds of matrix products for one image of `grid` patches, forward: what norms, softmax and the like do beside
// them is not counted, nor are pairs of tokens that a head does not see.
double multiply_adds(const ViTConfig& config, Grid grid);

// The schema of README.md, as stored in a model file under the metadata key `config`.
ViTConfig config_from_json(const std::string& text);
std::string to_json(const ViTConfig& config);

// vit_tiny, vit_small, vit_base (timm's sizes, 224 px, patch 16), vit_base_lookhere (the paper's) and nano (the
// demo's).
ViTConfig model_preset(const std::string& name);

class ViT {
 public:
  // Without a seed the parameters have no values yet: a file gives them theirs (weights.h).
  explicit ViT(const ViTConfig& config, std::optional<std::uint64_t> seed = 0, Dtype dtype = Dtype::f32,
               Device device = Device::cpu);
  const ViTConfig& config() const { return config_; }
  Device device() const { return init_.device(); }

  // images [B, C, Y, X] on the model's device, normalised, any Y and X divisible by the patch → logits [B, classes]
  Var operator()(const Var& images, Pass& pass);
  Var operator()(const Var& images);  // evaluation: nothing is dropped
  // The patch logit lens (LookHere, section 4.1): what the norm and the head at the end make of each patch token of any
  // block, [B, T, dim] → [B, patches, classes]. Throws Error for a model that pools by attention or has no head.
  Var patch_logits(const Var& tokens) const;
  // Names and values of the parameters that differ in a model made for images of another grid that says the same of
  // them.
  std::vector<std::pair<std::string, Tensor>> moved_to(Grid grid) const {
    return position_.moved_to(*position_.on(grid, init_.dtype()));
  }
  // Makes what the forward pass needs for images of this shape, so that several threads can then run it side by side.
  void prepare(const Shape& images);

  void visit(auto&& f) {
    f("cls_token", cls_token_), f("dist_token", dist_token_), f("reg_token", register_tokens_), position_.visit(f);
    f("patch_embed.proj.weight", patch_weight_), f("patch_embed.proj.bias", patch_bias_);
    f("patch_embed.norm", patch_norm_), f("norm_pre", norm_pre_);
    f("blocks", blocks_), f(config_.final_norm == FinalNorm::pooled ? "fc_norm" : "norm", norm_);
    if (map_pool_) f("attn_pool", *map_pool_);
    f("head_dist", head_dist_);
    if (config_.head != HeadType::mlp) return f("head", head_);
    f("head.fc1", head_fc1_), f("head.fc2", head_);
  }
  long parameter_count();

 private:
  Grid grid_of(const Shape& images) const;
  Var tokens_of(const Var& images, const PositionOnGrid& position, Dtype inside) const;
  Var pooled(const Var& x, Pass& pass) const;
  ViTConfig config_;
  Init init_;
  Var cls_token_, dist_token_, register_tokens_, patch_weight_, patch_bias_;
  ModelPosition position_;
  std::vector<Block> blocks_;
  LayerNorm patch_norm_, norm_pre_, norm_;
  std::optional<MapPool> map_pool_;
  Linear head_fc1_, head_, head_dist_;
};

}  // namespace lookhere
