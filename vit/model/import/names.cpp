// A table of names, and tensors that are rows of one.
#include "vit/model/import/names.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tensor/file.h"

namespace lookhere {
namespace {

// A beginning of a name and what stands there in timm; part of parts: these rows of it.
struct Rule {
  const char *from, *to;
  int part = 0, parts = 1;
};
// Outside of the blocks. Without a name to go to: left out.
constexpr Rule kTop[]{
    {"embeddings.cls_token", "cls_token"},
    {"embeddings.distillation_token", "dist_token"},
    {"embeddings.register_tokens", "reg_token"},
    {"embeddings.position_embeddings", "pos_embed"},
    {"embeddings.patch_embeddings.projection.", "patch_embed.proj."},
    {"embeddings.mask_token", ""},
    {"register_tokens", "reg_token"},
    {"mask_token", ""},
    {"layernorm.", "norm."},
    {"classifier.", "head."},
    {"cls_classifier.", "head."},
    {"distillation_classifier.", "head_dist."},
    {"pooler.", ""},
};
// In a block, of Hugging Face's and of DINOv2's.
constexpr Rule kBlock[]{
    {"layernorm_before.", "norm1."},
    {"layernorm_after.", "norm2."},
    {"attention.attention.query.", "attn.qkv.", 0, 3},
    {"attention.attention.key.", "attn.qkv.", 1, 3},
    {"attention.attention.value.", "attn.qkv.", 2, 3},
    {"attention.q_proj.", "attn.qkv.", 0, 3},
    {"attention.k_proj.", "attn.qkv.", 1, 3},
    {"attention.v_proj.", "attn.qkv.", 2, 3},
    {"attention.output.dense.", "attn.proj."},
    {"attention.o_proj.", "attn.proj."},
    {"intermediate.dense.", "mlp.fc1."},
    {"output.dense.", "mlp.fc2."},
    {"layer_scale1.lambda1", "ls1.gamma"},
    {"layer_scale2.lambda1", "ls2.gamma"},
    {"mlp.weights_in.", "mlp.fc1."},
    {"mlp.weights_out.", "mlp.fc2."},
    {"mlp.gate_proj.", "mlp.fc1.", 0, 2},
    {"mlp.up_proj.", "mlp.fc1.", 1, 2},
    {"mlp.down_proj.", "mlp.fc2."},
    {"mlp.w12.", "mlp.fc1."},
    {"mlp.fc1_g.", "mlp.fc1.", 0, 2},
    {"mlp.fc1_x.", "mlp.fc1.", 1, 2},
    {"mlp.w3.", "mlp.fc2."},
};

struct Renamed {
  std::string name;  // empty: left out
  int part = 0, parts = 1;
};

Renamed by_rules(const auto& rules, const std::string& name) {
  for (const Rule& rule : rules)
    if (name.starts_with(rule.from))
      return {*rule.to ? rule.to + name.substr(std::strlen(rule.from)) : "", rule.part, rule.parts};
  return {name};
}

Renamed renamed(std::string name) {
  for (const std::string prefix : {"vit.", "deit.", "dinov2.", "dinov2_with_registers."})
    if (name.starts_with(prefix)) name = name.substr(prefix.size());
  for (const std::string blocks : {"encoder.layer.", "encoder.layers.", "layers.", "blocks."}) {
    if (!name.starts_with(blocks)) continue;
    const std::size_t dot = name.find('.', blocks.size());
    if (dot == std::string::npos) return {name};
    Renamed inside = by_rules(kBlock, name.substr(dot + 1));
    inside.name = "blocks." + name.substr(blocks.size(), dot + 1 - blocks.size()) + inside.name;
    return inside;
  }
  return by_rules(kTop, name);
}

// The rows of `parts`, one under the other.
ForeignTensor joined_rows(const std::vector<ForeignTensor>& parts) {
  const Shape& one = parts[0].shape;
  std::vector<long> sizes(one.begin(), one.end());
  sizes[0] = checked_mul(sizes[0], std::ssize(parts));
  const auto read = [parts, shape = Shape(sizes)] {
    Tensor all = empty(shape, Dtype::f32, Device::cpu);
    const long rows = shape[0] / std::ssize(parts);
    for (long i = 0; i < std::ssize(parts); ++i)
      all.rows(i * rows, (i + 1) * rows).copy_from(parts[i].read().to(Dtype::f32));
    return all;
  };
  return {Shape(sizes), read};
}

}  // namespace

void rename_to_timm(ForeignFile& file) {
  ForeignTensors whole;
  std::map<std::string, std::vector<ForeignTensor>> in_parts;
  for (auto& [name, tensor] : file.tensors) {
    const Renamed to = renamed(name);
    if (to.name.empty()) {
      file.left_out.push_back(name);
    } else if (to.parts == 1) {
      check(whole.emplace(to.name, std::move(tensor)).second, file.path, ": two tensors for ", shown(to.name));
    } else {
      auto& parts = in_parts[to.name];
      parts.resize(static_cast<std::size_t>(to.parts));
      parts[static_cast<std::size_t>(to.part)] = std::move(tensor);
    }
  }
  for (const auto& [name, parts] : in_parts) {
    for (const ForeignTensor& part : parts)
      check(part.read != nullptr && part.shape.rank() >= 1 && part.shape == parts[0].shape, file.path, ": wanted ",
            parts.size(), " tensors of one shape for ", shown(name));
    check(whole.emplace(name, joined_rows(parts)).second, file.path, ": two tensors for ", shown(name));
  }
  file.tensors = std::move(whole);
}

}  // namespace lookhere
