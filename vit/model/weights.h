// Models as files: safetensors with timm's names and the configuration as JSON under the metadata key `config`.
#pragma once
#include <string>

#include "tensor/safetensors.h"
#include "vit/model/vit.h"

namespace lookhere {

// The model's parameters by name, and the metadata that describes it.
NamedTensors weights_of(ViT& model);
Metadata metadata_of(const ViT& model);

void save_model(const std::string& path, ViT& model);

// Throws Error if the file has no readable config, if a tensor is missing, unexpected, of the wrong shape or not
// finite. Tensors of a training checkpoint that belong to the optimizer are left alone.
ViT load_model(const std::string& path, Dtype dtype = Dtype::f32);
ViT load_model(const Safetensors& file, Dtype dtype = Dtype::f32);
ViTConfig config_of(const Safetensors& file);
// Gives every parameter of the model the value of the file's tensor `prefix + name`.
void load_weights(ViT& model, const Safetensors& file, const std::string& prefix = "");

}  // namespace lookhere
