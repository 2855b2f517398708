// What timm's VisionTransformer can have, in its own words.
#include "vit/model/import/export.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "nn/activation.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

// What attention needs of an encoding no plain ViT of timm has.
void check_position(const ViTConfig& c) {
  const PositionSizes sizes = c.position_sizes();
  bool in_attention = c.position->rotate(sizes, c.grid(), Dtype::f32).cos.defined();
  for (long layer = 0; layer < c.depth && !in_attention; ++layer)
    in_attention = !c.position->bias(sizes, layer).empty();
  for (const PositionParameter& p : c.position->parameters(sizes)) in_attention |= p.name != "pos_embed";
  check(!in_attention, "export: timm's Vision Transformers have no position encoding ",
        c.position->to_json()["type"].get<std::string>(), ", so these weights would mean nothing there");
}

void check_fits_timm(const ViTConfig& c, bool no_embed_class) {
  check_position(c);
  check(c.attention == AttentionWeights::softmax, "export: timm's Vision Transformers have no sigmoid attention");
  check(c.head != HeadType::mlp, "export: timm's Vision Transformers have no head of two layers");
  check(!(c.pre_norm && c.patch_bias), "export: with norm_pre timm's patch embedding has no bias, this model's has");
  check(c.pool != Pooling::map || !mlp_activation(c.activation).gated, "export: timm's map pooling has no gated MLP, ",
        c.activation);
  check(!c.distilled || (c.registers == 0 && !no_embed_class),
        "export: timm's distilled models have no registers, and positions for both class tokens");
}

// [1, rows, dim], of which the first `prefix` are 0.
Tensor below_zeros(const Tensor& table, long prefix) {
  const long rows = table.shape()[0], dim = table.shape()[1];
  const Tensor all = zeros({prefix + rows, dim}, table);
  all.rows(prefix, prefix + rows).copy_from(table);
  return all.reshape({1, prefix + rows, dim});
}

const char* python(bool value) { return value ? "True" : "False"; }

std::string call_of(const ViTConfig& c, bool has_table, bool no_embed_class) {
  const bool gated = mlp_activation(c.activation).gated;
  const std::string norm =
      fmt::format("partial(timm.layers.{}, eps={})", c.rms_norm ? "RmsNorm" : "LayerNorm", c.norm_eps);
  std::string call = fmt::format(
      "timm.models.{}(img_size=({}, {}), patch_size={}, in_chans={}, num_classes={}, embed_dim={}, depth={}, "
      "num_heads={}, mlp_ratio={}, norm_layer={}",
      c.distilled ? "deit.VisionTransformerDistilled" : "VisionTransformer", c.height, c.width, c.patch, c.channels,
      c.head == HeadType::none ? 0 : c.classes, c.dim, c.depth, c.heads, c.mlp_ratio, norm);
  const auto add = [&call](bool differs, const std::string& argument) {
    if (differs) call += ", " + argument;
  };
  add(c.pool != Pooling::cls, fmt::format("global_pool=\"{}\"", c.pool == Pooling::map ? "map" : "avg"));
  add(c.final_norm == FinalNorm::none, "final_norm=False");
  add(c.final_norm != FinalNorm::none && (c.final_norm == FinalNorm::pooled) != (c.pool == Pooling::mean),
      fmt::format("fc_norm={}", python(c.final_norm == FinalNorm::pooled)));
  add(!c.class_token, "class_token=False");
  add(c.registers > 0, fmt::format("reg_tokens={}", c.registers));
  add(no_embed_class, "no_embed_class=True");
  add(!has_table, "pos_embed=\"none\"");
  add(c.activation != "gelu", fmt::format("act_layer=\"{}\"", gated ? "silu" : c.activation));
  add(gated, "mlp_layer=timm.layers.SwiGLUPacked");
  add(c.layer_scale, "init_values=1e-4");
  add(!c.qkv_bias, "qkv_bias=False"), add(!c.proj_bias, "proj_bias=False"), add(c.qk_norm, "qk_norm=True");
  add(c.sub_norm, "scale_attn_norm=True, scale_mlp_norm=True"), add(c.pre_norm, "pre_norm=True");
  add(c.embed_norm, "embed_norm_layer=" + norm), add(c.pool_include_prefix, "pool_include_prefix=True");
  return call + ")";
}

}  // namespace

Exported export_model(ViT& model, bool no_embed_class, const Metadata& more) {
  const ViTConfig& c = model.config();
  check_fits_timm(c, no_embed_class);
  const bool patches_alone = c.prefix() > 0 && no_embed_class;
  Exported exported{.tensors = {}, .metadata = more, .call = {}, .notes = {}};
  std::vector<Var> of_position;
  for (const auto& [name, tensor] : weights_of(model))
    if (name == "pos_embed")
      of_position.emplace_back(tensor);
    else
      exported.tensors.emplace_back(name, tensor);
  const NoGrad constant;
  const Var table = c.position->embed(c.position_sizes(), of_position, c.grid(), Dtype::f32);
  if (table.defined())
    exported.tensors.emplace_back("pos_embed", below_zeros(table.value(), patches_alone ? 0 : c.prefix()));
  if (table.defined() && of_position.empty())
    exported.notes.emplace_back("the positions, which are computed here, are written as learned ones");
  if (table.defined())
    exported.notes.emplace_back("timm resizes positions to other image sizes bicubically, antialiased");
  if (!c.patch_bias && !c.pre_norm)
    exported.tensors.emplace_back("patch_embed.proj.bias", full({c.dim}, 0, Dtype::f32, Device::cpu));
  exported.metadata["lookhere.config"] = to_json(c);
  exported.call = call_of(c, table.defined(), patches_alone);
  return exported;
}

}  // namespace lookhere
