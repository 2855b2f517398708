// The model: configuration checks, construction, forward pass.
#include "vit/model/vit.h"

#include <cmath>

#include "autograd/profile.h"
#include "nn/activation.h"
#include "tensor/pool.h"

namespace lookhere {

void ViTConfig::validate() const {
  const auto in_range = [](const char* name, long value, long low, long high) {
    check(value >= low && value <= high, "model: ", name, " must be in [", low, ", ", high, "], got ", value);
  };
  in_range("patch_size", patch, 1, 1024);
  in_range("image height", height, 1, 16384);
  in_range("image width", width, 1, 16384);
  check(height % patch == 0 && width % patch == 0, "model: image size must be a multiple of the patch size ", patch,
        ", got ", height, "x", width);
  in_range("channels", channels, 1, 4096);
  in_range("classes", classes, 1, 1 << 20);
  in_range("dim", dim, 1, 1 << 16);
  in_range("depth", depth, 1, 256);
  in_range("heads", heads, 1, 1024);
  check(dim % heads == 0, "model: dim must be a multiple of heads, got ", dim, " and ", heads);
  in_range("head size (dim / heads)", dim / heads, 1, 256);
  check(mlp_ratio > 0 && mlp_ratio <= 64 && mlp_hidden() >= 1,
        "model: mlp_ratio must be in (0, 64] and leave a hidden unit, got ", mlp_ratio);
  check(!mlp_activation(activation).gated || mlp_hidden() % 2 == 0, "model: ", activation,
        " wants an even number of hidden units, dim x mlp_ratio, got ", mlp_hidden());
  check(norm_eps > 0 && norm_eps < 1, "model: norm_eps must be in (0, 1), got ", norm_eps);
  in_range("registers", registers, 0, 1024);
  check(class_token || pool != Pooling::cls, "model: without a class token pool must be mean or map, got cls");
  check(!pool_include_prefix || pool != Pooling::cls, "model: pool_include_prefix wants pool mean or map, got cls");
  check(head != HeadType::none || classes == dim, "model: without a head classes must be dim, ", dim, ", got ",
        classes);
  check(!distilled ||
            (class_token && head == HeadType::linear && pool == Pooling::cls && final_norm == FinalNorm::tokens),
        "model: distilled wants a class token, a linear head, pool cls and the norm before it");
  position->check_fits(position_sizes());
}

namespace {
const ViTConfig& validated(const ViTConfig& config) {
  config.validate();
  return config;
}
}  // namespace

ViT::ViT(const ViTConfig& config, std::optional<std::uint64_t> seed, Dtype dtype, Device device)
    : config_(validated(config)),
      init_(seed, dtype, device, config.init_std),
      cls_token_(config.class_token ? init_.truncated_normal({1, 1, config.dim}) : Var()),
      position_(config.position, config.position_sizes(), init_) {
  // The patch projection is a convolution: PyTorch's default initialisation, U(±1/√fan_in).
  const long fan_in = config.channels * config.patch * config.patch;
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  patch_weight_ = init_.uniform({config.dim, config.channels, config.patch, config.patch}, bound);
  if (config.patch_bias) patch_bias_ = init_.uniform({config.dim}, bound);
  const BlockSizes sizes{.dim = config.dim,
                         .heads = config.heads,
                         .mlp_hidden = config.mlp_hidden(),
                         .activation = mlp_activation(config.activation),
                         .norm = {.eps = config.norm_eps, .rms = config.rms_norm},
                         .layer_scale = config.layer_scale,
                         .layer_scale_init = config.layer_scale_init,
                         .qkv_bias = config.qkv_bias,
                         .qk_norm = config.qk_norm,
                         .proj_bias = config.proj_bias,
                         .sub_norm = config.sub_norm};
  for (long layer = 0; layer < config.depth; ++layer) blocks_.emplace_back(sizes, init_);
  if (config.final_norm != FinalNorm::none) norm_ = LayerNorm(config.dim, sizes.norm, init_);
  if (config.head == HeadType::linear) {
    head_ = Linear(config.dim, config.classes, init_);
  } else if (config.head == HeadType::mlp) {
    head_fc1_ = Linear(config.dim, config.mlp_hidden(), init_);
    head_.weight = init_.constant({config.classes, config.mlp_hidden()}, 0);
    // Every class starts at a sigmoid of about 1/1000, as the paper's.
    head_.bias = init_.constant({config.classes}, -6.9);
  }
  if (config.distilled) dist_token_ = init_.truncated_normal({1, 1, config.dim});
  if (config.distilled) head_dist_ = Linear(config.dim, config.classes, init_);
  if (config.registers) register_tokens_ = init_.truncated_normal({1, config.registers, config.dim});
  if (config.embed_norm) patch_norm_ = LayerNorm(config.dim, sizes.norm, init_);
  if (config.pre_norm) norm_pre_ = LayerNorm(config.dim, sizes.norm, init_);
  if (config.pool == Pooling::map) map_pool_.emplace(sizes, init_);
  Pool::of(Device::cpu).release_kept();  // what the values were drawn in
}

Var ViT::operator()(const Var& images) {
  Pass evaluation;
  return (*this)(images, evaluation);
}

Grid ViT::grid_of(const Shape& images) const {
  check(images.rank() == 4 && images[1] == config_.channels, "model: images must be [batch, ", config_.channels,
        ", height, width], got ", images);
  check(images[2] % config_.patch == 0 && images[3] % config_.patch == 0,
        "model: images must be divisible by the patch size ", config_.patch, ", got ", images[2], "x", images[3]);
  return {images[2] / config_.patch, images[3] / config_.patch};
}

void ViT::prepare(const Shape& images) { position_.on(grid_of(images), init_.dtype()); }

// The patches with their positions, behind the tokens that all images have in common.
Var ViT::tokens_of(const Var& images, const PositionOnGrid& position, Dtype inside) const {
  const Shape weight_shape{config_.dim, config_.channels * config_.patch * config_.patch};
  Var x = linear(cast(patchify(images, config_.patch), inside), reshape(patch_weight_, weight_shape), patch_bias_);
  x = cast(x, init_.dtype());
  x = position_.embed(config_.embed_norm ? patch_norm_(x) : x, position);
  for (const Var& front : {register_tokens_, dist_token_, cls_token_})
    if (front.defined()) x = prepend_token(front, x);
  return config_.pre_norm ? norm_pre_(x) : x;
}

Var ViT::pooled(const Var& x, Pass& pass) const {
  const long left_out = config_.pool_include_prefix ? 0 : config_.prefix();
  switch (config_.pool) {
    case Pooling::cls:
      return select_token(x, 0);
    case Pooling::mean:
      return mean_tokens(x, left_out);
    case Pooling::map:
      return (*map_pool_)(left_out ? drop_tokens(x, left_out) : x, pass);
  }
  return x;
}

Var ViT::operator()(const Var& images, Pass& pass) {
  profile::begin_forward();
  const auto position = position_.on(grid_of(images.shape()), init_.dtype());
  Var x = tokens_of(images, *position, pass.dtype.value_or(init_.dtype()));
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    x = blocks_[layer](std::move(x), position_.in_layer(*position, static_cast<long>(layer)), pass);
    if (pass.on_block) pass.on_block(x.value());
  }
  if (config_.final_norm == FinalNorm::tokens) x = norm_(x);
  if (config_.distilled) return scale(add(head_(select_token(x, 0)), head_dist_(select_token(x, 1))), 0.5);
  x = pooled(x, pass);
  if (config_.final_norm == FinalNorm::pooled) x = norm_(x);
  if (config_.head == HeadType::none) return x;
  return head_(config_.head == HeadType::mlp ? tanh(head_fc1_(x)) : x);
}

Var ViT::patch_logits(const Var& tokens) const {
  check(config_.pool != Pooling::map && config_.head != HeadType::none,
        "logit lens: wanted a model that classifies a token or a mean of tokens");
  Var x = config_.prefix() ? drop_tokens(tokens, config_.prefix()) : tokens;
  if (config_.final_norm != FinalNorm::none) x = norm_(x);
  if (config_.distilled) return scale(add(head_(x), head_dist_(x)), 0.5);
  return head_(config_.head == HeadType::mlp ? tanh(head_fc1_(x)) : x);
}

long ViT::parameter_count() {
  long count = 0;
  for_each_parameter(*this, [&](const std::string&, const Var& p) { count += p.value().numel(); });
  return count;
}

}  // namespace lookhere
