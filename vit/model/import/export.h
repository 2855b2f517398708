// A model as timm would have it: timm's names and shapes, and the call that makes such a model there.
#pragma once
#include "tensor/safetensors.h"
#include "vit/model/vit.h"

namespace lookhere {

struct Exported {
  NamedTensors tensors;
  Metadata metadata;  // by which `lookhere import` knows what tensors do not say
  std::string call;   // Python: makes the timm model that these tensors fit, all of them
  std::vector<std::string> notes;
};

// Rows of pos_embed for the tokens before the patches are 0, for their position is in the tokens already; with
// `no_embed_class`, timm's option, there are none. The values of an encoding that is computed become pos_embed. `more`
// joins the metadata. Throws Error for what no Vision Transformer of timm can have: other encodings, a head of two
// layers, a bias of the patches before norm_pre, gates in map pooling, registers of a distilled model.
Exported export_model(ViT& model, bool no_embed_class, const Metadata& more = {});

}  // namespace lookhere
