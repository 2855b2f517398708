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
      cls_token_(init_.truncated_normal({1, 1, config.dim})),
      position_(config.position, config.position_sizes(), init_) {
  // The patch projection is a convolution: PyTorch's default initialisation, U(±1/√fan_in).
  const long fan_in = config.channels * config.patch * config.patch;
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  patch_weight_ = init_.uniform({config.dim, config.channels, config.patch, config.patch}, bound);
  patch_bias_ = init_.uniform({config.dim}, bound);
  const BlockSizes sizes{.dim = config.dim,
                         .heads = config.heads,
                         .mlp_hidden = config.mlp_hidden(),
                         .activation = mlp_activation(config.activation),
                         .norm_eps = static_cast<float>(config.norm_eps),
                         .layer_scale = config.layer_scale,
                         .layer_scale_init = config.layer_scale_init};
  for (long layer = 0; layer < config.depth; ++layer) blocks_.emplace_back(sizes, init_);
  norm_ = LayerNorm(config.dim, sizes.norm_eps, init_);
  if (config.head == HeadType::linear) {
    head_ = Linear(config.dim, config.classes, init_);
  } else {
    head_fc1_ = Linear(config.dim, config.mlp_hidden(), init_);
    head_.weight = init_.constant({config.classes, config.mlp_hidden()}, 0);
    // Every class starts at a sigmoid of about 1/1000, as the paper's.
    head_.bias = init_.constant({config.classes}, -6.9);
  }
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

Var ViT::operator()(const Var& images, Pass& pass) {
  profile::begin_forward();
  const Grid grid = grid_of(images.shape());
  const Shape weight_shape{config_.dim, config_.channels * config_.patch * config_.patch};
  const Dtype inside = pass.dtype.value_or(init_.dtype());
  Var x = linear(cast(patchify(images, config_.patch), inside), reshape(patch_weight_, weight_shape), patch_bias_);
  x = cast(x, init_.dtype());
  const auto position = position_.on(grid, x.value().dtype());
  x = prepend_token(cls_token_, position_.embed(x, *position));
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer)
    x = blocks_[layer](std::move(x), position_.in_layer(*position, static_cast<long>(layer)), pass);
  x = norm_(x);
  x = config_.pool == Pooling::cls ? select_token(x, 0) : mean_tokens(x, 1);
  return head_(config_.head == HeadType::mlp ? tanh(head_fc1_(x)) : x);
}

long ViT::parameter_count() {
  long count = 0;
  for_each_parameter(*this, [&](const std::string&, const Var& p) { count += p.value().numel(); });
  return count;
}

}  // namespace lookhere
