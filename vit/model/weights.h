// Models as files: safetensors with timm's names and the configuration as JSON under the metadata key `config`.
#pragma once
#include <string>

#include "tensor/safetensors.h"
#include "vit/model/vit.h"

namespace lookhere {

// The model's parameters by name, and the metadata that describes it.
NamedTensors weights_of(ViT& model);
Metadata metadata_of(const ViT& model);

// A class's name for people, if the file knows it, else "class 3".
Metadata class_names_metadata(const std::vector<std::string>& names);
std::vector<std::string> class_names_of(const Safetensors& file, long classes);

// `more` joins the metadata.
void save_model(const std::string& path, ViT& model, const Metadata& more = {});

// Throws Error if the file has no readable config, if a tensor is missing, unexpected, of the wrong shape or not
// finite. Tensors of a training checkpoint that belong to the optimizer are left alone.
ViT load_model(const std::string& path, Dtype dtype = Dtype::f32, Device device = Device::cpu);
ViT load_model(const Safetensors& file, Dtype dtype = Dtype::f32, Device device = Device::cpu);
// With another configuration than the file's, as far as the tensors allow.
ViT load_model(const Safetensors& file, const ViTConfig& config, Dtype dtype = Dtype::f32, Device device = Device::cpu);
ViTConfig config_of(const Safetensors& file);
// How the model's positions look after training (PositionEncoding::as_trained). Reads nothing else.
PositionConfig trained_position_of(const Safetensors& file);
// Gives every parameter of the model the value of the file's tensor `prefix + name`. With a prefix, what a training
// checkpoint has no optimizer's state for, since it was frozen, stays as it is.
void load_weights(ViT& model, const Safetensors& file, const std::string& prefix = "");

}  // namespace lookhere
